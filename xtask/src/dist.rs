//! `cargo xtask dist`: everything that is shipped.

use opencode_tests::Result;

use crate::artefact::{self, LUAS, Profile, Reach};
use crate::{glibc, tools};

/// Builds the modules for all versions of Lua, the wheel and the C library, and says where they lie; without TLS and mDNS
/// where only http is to be reached.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn run(reach: Reach) -> Result<()> {
    tools::ensure(tools::Need::Demo)?;
    artefact::native_reaching(&LUAS[0], Profile::Release, reach)?;
    modules(reach)?;
    artefact::wheel(Profile::Release, reach)?;
    println!("\nIn {}:", reach.dist().display());
    list();
    println!("  python/*.whl           pip install it");
    println!("  c/                     libopencode.so, libopencode.a, include/, opencode.pc");
    Ok(())
}

/// Builds the modules for all versions of Lua alone.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn lua(reach: Reach) -> Result<()> {
    modules(reach)?;
    println!("\nIn {}, for glibc {} and later:", reach.dist().display(), glibc::FLOOR);
    list();
    Ok(())
}

/// Builds the wheel, and packs the sources of the package.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn python(reach: Reach) -> Result<()> {
    println!("\nIn {}.", artefact::portable_wheel(reach)?.display());
    Ok(())
}

fn modules(reach: Reach) -> Result<()> {
    LUAS.iter().try_for_each(|lua| artefact::portable(lua, reach).map(drop))
}

fn list() {
    for lua in LUAS {
        println!("  lua/{}/libopencode.so  {}; annotations in meta/", lua.feature, lua.title);
    }
}
