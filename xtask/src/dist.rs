//! `cargo xtask dist`: everything that is shipped.

use opencode_tests::Result;

use crate::artefact::{self, GLIBC, LUAS, Profile};
use crate::tools;

/// Builds the modules for all versions of Lua, the wheel and the C library, and says where they lie.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn run() -> Result<()> {
    tools::ensure(tools::Need::Demo)?;
    artefact::native(&LUAS[0], Profile::Release)?;
    modules()?;
    artefact::python(Profile::Release, &[])?;
    println!("\nIn {}:", artefact::dist().display());
    list();
    println!("  python/*.whl           pip install it");
    println!("  c/                     libopencode.so, libopencode.a, include/, opencode.pc");
    Ok(())
}

/// Builds the modules for all versions of Lua alone.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn lua() -> Result<()> {
    modules()?;
    println!("\nIn {}, for glibc {GLIBC} and later:", artefact::dist().display());
    list();
    Ok(())
}

/// Builds the wheel, and packs the sources of the package.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn python() -> Result<()> {
    println!("\nIn {}.", artefact::portable_wheel()?.display());
    Ok(())
}

fn modules() -> Result<()> {
    LUAS.iter().try_for_each(|lua| artefact::portable(lua).map(drop))
}

fn list() {
    for lua in LUAS {
        println!("  lua/{}/libopencode.so  {}; annotations in meta/", lua.feature, lua.title);
    }
}
