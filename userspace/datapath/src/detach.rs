//! Opening the gate: links off, pins away. Works with or without a daemon.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::bpffs::{self, entries, file_name, remove_directory, version_of};
use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
use crate::links::take_off;
use crate::load::Datapath;
use crate::privilege;

/// What detaching found and removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DetachReport {
    /// Interfaces that are no longer guarded, each once, sorted.
    pub interfaces: Vec<String>,
    /// Links taken off.
    pub links: usize,
    /// Pins of maps and programs removed.
    pub pins: usize,
}

impl fmt::Display for DetachReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.links == 0 && self.pins == 0 {
            return write!(f, "nothing was attached or pinned");
        }
        let interfaces = if self.interfaces.is_empty() {
            "no interface".to_owned()
        } else {
            self.interfaces.join(", ")
        };
        write!(
            f,
            "detached from {interfaces} ({} links), {} pins removed",
            self.links, self.pins
        )
    }
}

impl Datapath {
    /// Takes the programs off every interface and removes every pin under a pin root, of every ABI
    /// version. Packets are no longer looked at afterwards.
    ///
    /// # Errors
    /// When a privilege is missing or a file cannot be removed; what was removed before stays so.
    pub fn detach(pin_root: &Path) -> Result<DetachReport, DatapathError> {
        privilege::capabilities("detaching")?;
        let mut report = DetachReport::default();
        if !pin_root.exists() || !bpffs::is_bpffs(pin_root) {
            return Ok(report);
        }
        bpffs::writable(pin_root)?;
        for version in entries(pin_root)?
            .into_iter()
            .filter(|path| version_of(path).is_some())
        {
            for interface in entries(&version.join("links"))? {
                for pin in entries(&interface)? {
                    take_off(&pin)?;
                    report.links += 1;
                    fault::at(FaultPoint::DetachLink)?;
                }
                remove_directory(&interface)?;
                let name = bpffs::unescaped(&file_name(&interface));
                if !report.interfaces.contains(&name) {
                    report.interfaces.push(name);
                }
            }
            fault::at(FaultPoint::DetachLinks)?;
            for directory in ["links", "programs", "maps"].map(|name| version.join(name)) {
                for pin in entries(&directory)? {
                    fs::remove_file(&pin).map_err(|source| failed("remove", &pin, source))?;
                    report.pins += 1;
                }
                remove_directory(&directory)?;
                fault::at(FaultPoint::DetachPins)?;
            }
            remove_directory(&version)?;
        }
        report.interfaces.sort();
        // Fails when it is a mount point or holds what is not ours: then it stays.
        let _ = fs::remove_dir(pin_root);
        Ok(report)
    }
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> DatapathError {
    DatapathError::File {
        operation,
        path: path.to_owned(),
        source,
    }
}
