//! Who else runs programs on an interface: XDP has room for one, TCX egress for many, in order.
//!
//! Ours ask to be first on TCX egress and always let the next one run. A program before ours, placed
//! there later and on purpose, may end the run (`TCX_PASS`, `TCX_REDIRECT`): what it ends, ours does
//! not see.

use aya::programs::{ProgramInfo, SchedClassifier, TcAttachType, loaded_programs};
use octroi_abi::name;

use crate::error::DatapathError;
use crate::interface::RunningXdp;

/// Our programs for TCX egress.
const EGRESS: [&str; 4] = [
    name::PROGRAM_REPLY,
    name::PROGRAM_REPLY_L3,
    name::PROGRAM_HOST_OUTBOUND,
    name::PROGRAM_HOST_OUTBOUND_L3,
];

/// Programs of others on TCX egress of an interface, each as `"name" (id 7)`, in the order in which
/// they run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Neighbours {
    /// They run before ours.
    pub before: Vec<String>,
    /// They run after ours.
    pub after: Vec<String>,
}

/// Who else is on TCX egress of an interface of this thread's network namespace.
///
/// # Errors
/// When there is no such interface, or the kernel does not say.
pub fn neighbours(interface: &str) -> Result<Neighbours, DatapathError> {
    let (_, programs) =
        SchedClassifier::query_tcx(interface, TcAttachType::Egress).map_err(|error| {
            DatapathError::Attach {
                program: name::PROGRAM_REPLY,
                interface: interface.to_owned(),
                source: std::io::Error::other(error),
            }
        })?;
    let mut found = Neighbours::default();
    let mut passed_ours = false;
    for program in &programs {
        if is_ours(program) {
            passed_ours = true;
        } else if passed_ours {
            found.after.push(called(program));
        } else {
            found.before.push(called(program));
        }
    }
    if !passed_ours {
        // Nobody runs before what does not run.
        found.after.append(&mut found.before);
    }
    Ok(found)
}

/// By name: programs of other pin roots are Octroi's too.
fn is_ours(program: &ProgramInfo) -> bool {
    // The kernel keeps the first 15 bytes (`BPF_OBJ_NAME_LEN`).
    let name = program.name_as_str().unwrap_or_default();
    !name.is_empty() && EGRESS.iter().any(|ours| ours.starts_with(name))
}

fn called(program: &ProgramInfo) -> String {
    format!(
        "\"{}\" (id {})",
        program.name_as_str().unwrap_or("?"),
        program.id()
    )
}

/// The refusal to attach beside an XDP program, which is named.
pub(crate) fn foreign_xdp(interface: &str, running: RunningXdp) -> DatapathError {
    let name = loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == running.program_id)
        .and_then(|program| program.name_as_str().map(str::to_owned));
    DatapathError::ForeignXdp {
        interface: interface.to_owned(),
        name: name.unwrap_or_else(|| "?".to_owned()),
        id: running.program_id,
    }
}
