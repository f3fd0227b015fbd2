//! `cargo xtask dist`: everything that is shipped.

use opencode_tests::Result;

use crate::artefact::{self, LUAS, Profile};
use crate::tools;

/// Builds the modules for all versions of Lua, the wheel and the C library, and says where they lie.
///
/// # Errors
/// When something cannot be installed or built.
pub(crate) fn run() -> Result<()> {
    tools::ensure(tools::Need::Demo)?;
    for lua in LUAS {
        artefact::native(lua, Profile::Release)?;
    }
    artefact::python(Profile::Release, &[])?;
    println!("\nIn {}:", artefact::dist().display());
    for lua in LUAS {
        println!("  lua/{}/libopencode.so  {}", lua.feature, lua.title);
    }
    println!("  python/*.whl           pip install it");
    println!("  c/                     libopencode.so, libopencode.a, include/, opencode.pc");
    Ok(())
}
