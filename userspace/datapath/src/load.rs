//! Loading the kernel object, and adopting what an earlier process pinned.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, PerCpuArray, ProgramArray};
use aya::programs::{ProgramError, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};
use octroi_abi::control::Control;
use octroi_abi::name;
use octroi_abi::table::{MAX_SLOTS, MIN_SLOTS, SLOTS_PER_BUCKET, V4_SLOTS, V6_SLOTS};
use octroi_abi::transition::Marks;

use crate::bpffs::Pins;
use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
use crate::object::object;
use crate::prefixes::Prefixes;
use crate::table::{Family, FlowTable};
use crate::wire::Wire;
use crate::{DEFAULT_PIN_ROOT, features, links, privilege, shapes, tables, upgrade};

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Directory on a BPF file system; the pins go to a directory below it that is named for the
    /// ABI version.
    pub pin_root: PathBuf,
    /// Room for IPv4 and for IPv6 flows: rounded up to a power of two, and kept within 1,024 and
    /// 16,777,216. An IPv4 flow takes 64 bytes of kernel memory, an IPv6 flow 128. Tables that are
    /// adopted keep the room they have.
    pub flows: [u32; 2],
}

impl LoadOptions {
    /// With this pin root.
    #[must_use]
    pub fn new(pin_root: impl AsRef<Path>) -> Self {
        Self {
            pin_root: pin_root.as_ref().to_owned(),
            flows: [V4_SLOTS, V6_SLOTS],
        }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self::new(DEFAULT_PIN_ROOT)
    }
}

/// What loading did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadReport {
    /// Maps that an earlier process left, with their content; the others are new and empty.
    pub adopted_maps: usize,
    /// Where a BPF file system had to be mounted.
    pub mounted: Option<PathBuf>,
    /// ABI versions of older gates under the same pin root, which go on until
    /// [`Datapath::take_over`].
    pub older: Vec<u32>,
    /// What works, but not as it should, and the remedy.
    pub warnings: Vec<String>,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mounted) = &self.mounted {
            write!(f, "mounted a BPF file system on {}; ", mounted.display())?;
        }
        match self.adopted_maps {
            0 => write!(f, "kernel programs loaded, maps new")?,
            adopted => write!(f, "kernel programs loaded, {adopted} pinned maps adopted")?,
        }
        for abi in &self.older {
            write!(f, "; the gate of ABI {abi} goes on until it is taken over")?;
        }
        Ok(())
    }
}

/// The kernel side: programs, maps, and what is pinned of them.
///
/// Dropping it changes nothing in the kernel: what is pinned stays.
pub struct Datapath {
    pub(crate) pins: Pins,
    pub(crate) report: LoadReport,
    pub(crate) programs: Ebpf,
    pub(crate) control: Array<MapData, Wire<Control>>,
    pub(crate) atlas: MapData,
    pub(crate) zones: Prefixes<u32>,
    pub(crate) marks: Prefixes<Wire<Marks>>,
    pub(crate) nat64: Prefixes<u32>,
    pub(crate) verdicts: MapData,
    pub(crate) rule_sets: MapData,
    pub(crate) opaque: MapData,
    pub(crate) gateway_addresses: HashMap<MapData, [u8; 16], u32>,
    pub(crate) flows_v4: FlowTable,
    pub(crate) flows_v6: FlowTable,
    /// Kept open: programs that are loaded later refer to the maps by descriptor.
    _flow_maps: [MapData; 2],
    pub(crate) events: Option<MapData>,
    pub(crate) samples: Option<MapData>,
    pub(crate) held: Option<MapData>,
    pub(crate) counters: PerCpuArray<MapData, u64>,
    pub(crate) probes: ProgramArray<MapData>,
    pub(crate) trie_v4: LpmTrie<MapData, [u8; 4], u32>,
    pub(crate) trie_v6: LpmTrie<MapData, [u8; 16], u32>,
}

impl fmt::Debug for Datapath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datapath")
            .field("pins", &self.pins)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl Datapath {
    /// Loads the embedded object and pins it, or adopts what is pinned under the pin root. What is
    /// attached goes on running the programs it has until [`Datapath::attach`] replaces them.
    ///
    /// # Errors
    /// When privileges, kernel features or the BPF file system are missing, when a pinned map has
    /// another shape, or when the kernel refuses a program. Nothing that runs is changed then.
    pub fn load(options: &LoadOptions) -> Result<Self, DatapathError> {
        privilege::check()?;
        let pins = Pins::new(&options.pin_root);
        let older = upgrade::older(&pins)?;
        let mounted = pins.prepare()?;
        fault::at(FaultPoint::LoadDirectories)?;
        let maps = pins.maps();
        let adopted_maps = shapes::verify_pins(&maps)?;
        whole(&pins)?;

        let mut loader = EbpfLoader::new();
        for shape in &shapes::PINNED {
            loader.map_pin_path(shape.name, maps.join(shape.name));
        }
        for (name, slots) in [name::FLOWS_V4, name::FLOWS_V6]
            .into_iter()
            .zip(options.flows)
        {
            loader.map_max_entries(name, buckets(slots));
        }
        let mut ebpf = loader.load(object()).map_err(DatapathError::load)?;
        // Once more: what was just created must be what this crate believes it to be.
        shapes::verify_pins(&maps)?;
        fault::at(FaultPoint::LoadMaps)?;

        let v4 = data(&mut ebpf, name::FLOWS_V4)?;
        let v6 = data(&mut ebpf, name::FLOWS_V6)?;
        let mut control = typed(&mut ebpf, name::CONTROL, Array::try_from)?;
        let word = tables::prepare(&mut control, &v4, &v6)?;
        let mut datapath = Self {
            flows_v4: tables::open(Family::V4, name::FLOWS_V4, &v4, word.seed, word.v4_mask)?,
            flows_v6: tables::open(Family::V6, name::FLOWS_V6, &v6, word.seed, word.v6_mask)?,
            control,
            atlas: data(&mut ebpf, name::ATLAS)?,
            zones: Prefixes::new(
                name::ZONES,
                typed(&mut ebpf, name::ZONES, LpmTrie::try_from)?,
            ),
            marks: Prefixes::new(
                name::MARKS,
                typed(&mut ebpf, name::MARKS, LpmTrie::try_from)?,
            ),
            nat64: Prefixes::new(
                name::NAT64,
                typed(&mut ebpf, name::NAT64, LpmTrie::try_from)?,
            ),
            verdicts: data(&mut ebpf, name::VERDICTS)?,
            rule_sets: data(&mut ebpf, name::RULE_SETS)?,
            opaque: data(&mut ebpf, name::OPAQUE)?,
            gateway_addresses: typed(&mut ebpf, name::GATEWAY_ADDRESSES, HashMap::try_from)?,
            events: Some(data(&mut ebpf, name::EVENTS)?),
            samples: Some(data(&mut ebpf, name::SAMPLES)?),
            held: Some(data(&mut ebpf, name::HELD)?),
            counters: typed(&mut ebpf, name::COUNTERS, PerCpuArray::try_from)?,
            probes: typed(&mut ebpf, name::PROBES, ProgramArray::try_from)?,
            trie_v4: typed(&mut ebpf, name::TRIE_V4, LpmTrie::try_from)?,
            trie_v6: typed(&mut ebpf, name::TRIE_V6, LpmTrie::try_from)?,
            _flow_maps: [v4, v6],
            programs: ebpf,
            report: LoadReport {
                adopted_maps,
                mounted,
                older,
                warnings: features::warnings(),
            },
            pins,
        };
        datapath.load_programs()?;
        Ok(datapath)
    }

    /// Whether what was pinned still is: `false` after [`Datapath::detach`], by whomever.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.pins.maps().is_dir()
    }

    /// What loading did.
    #[must_use]
    pub fn load_report(&self) -> &LoadReport {
        &self.report
    }

    fn load_programs(&mut self) -> Result<(), DatapathError> {
        let directory = self.pins.programs();
        // The others are loaded when they are first asked for: the kernel takes seconds to check a
        // program of this size on a slow machine.
        self.xdp(name::PROGRAM_OUTBOUND)?;
        self.classifier(name::PROGRAM_REPLY)?;
        self.xdp(name::PROGRAM_NOOP)?;

        fault::at(FaultPoint::LoadPrograms)?;

        // A new pin beside the old one, then renamed over it: there is always one.
        let next = |name: &str| directory.join(format!("{name}-next"));
        for name in [
            name::PROGRAM_OUTBOUND,
            name::PROGRAM_REPLY,
            // For the far end of a veth pair: see docs/datapath.md.
            name::PROGRAM_NOOP,
        ] {
            let path = next(name);
            remove_if_there(&path)?;
            let pinned = if name == name::PROGRAM_REPLY {
                self.classifier(name)?.pin(&path)
            } else {
                self.xdp(name)?.pin(&path)
            };
            pinned.map_err(|error| DatapathError::File {
                operation: "pin the program",
                path: path.clone(),
                source: std::io::Error::other(error),
            })?;
            fault::at(FaultPoint::LoadProgramBeside)?;
            fs::rename(&path, directory.join(name)).map_err(|source| DatapathError::File {
                operation: "rename the pinned program",
                path,
                source,
            })?;
            fault::at(FaultPoint::LoadProgramPinned)?;
        }
        Ok(())
    }

    /// An XDP program, loaded.
    pub(crate) fn xdp(&mut self, name: &'static str) -> Result<&mut Xdp, DatapathError> {
        let program: &mut Xdp = self
            .programs
            .program_mut(name)
            .and_then(|program| program.try_into().ok())
            .ok_or(DatapathError::Object {
                what: "XDP program",
                name,
            })?;
        if program.fd().is_err() {
            program.load().map_err(|source| refused(name, source))?;
        }
        Ok(program)
    }

    /// A classifier program, loaded.
    pub(crate) fn classifier(
        &mut self,
        name: &'static str,
    ) -> Result<&mut SchedClassifier, DatapathError> {
        let program: &mut SchedClassifier = self
            .programs
            .program_mut(name)
            .and_then(|program| program.try_into().ok())
            .ok_or(DatapathError::Object {
                what: "classifier program",
                name,
            })?;
        if program.fd().is_err() {
            program.load().map_err(|source| refused(name, source))?;
        }
        Ok(program)
    }
}

/// Refuses pins of which a part is gone while their programs stand on interfaces: what those run
/// can be neither adopted nor read, so that flows cut by their name would be forgotten.
fn whole(pins: &Pins) -> Result<(), DatapathError> {
    let path = pins.maps();
    let missing: Vec<_> = shapes::PINNED
        .iter()
        .map(|shape| shape.name)
        .filter(|name| !path.join(name).exists())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut interfaces = Vec::new();
    for (interface, pin) in pins.pinned_links()? {
        if links::is_standing(&pin)? && !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }
    if interfaces.is_empty() {
        return Ok(());
    }
    Err(DatapathError::MissingPins {
        path,
        missing: missing.join(", "),
        interfaces: interfaces.join(", "),
    })
}

fn refused(program: &'static str, source: ProgramError) -> DatapathError {
    DatapathError::Program {
        program,
        source: Box::new(source),
    }
}

/// Removes a file; that it is not there is fine.
pub(crate) fn remove_if_there(path: &Path) -> Result<bool, DatapathError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(DatapathError::File {
            operation: "remove",
            path: path.to_owned(),
            source,
        }),
    }
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, DatapathError> {
    ebpf.take_map(name)
        .ok_or(DatapathError::Object { what: "map", name })
}

fn typed<T>(
    ebpf: &mut Ebpf,
    name: &'static str,
    convert: impl FnOnce(Map) -> Result<T, aya::maps::MapError>,
) -> Result<T, DatapathError> {
    convert(take(ebpf, name)?).map_err(|error| DatapathError::map("open", name, error))
}

fn data(ebpf: &mut Ebpf, name: &'static str) -> Result<MapData, DatapathError> {
    match take(ebpf, name)? {
        Map::Array(data) | Map::RingBuf(data) => Ok(data),
        _ => Err(DatapathError::Object { what: "map", name }),
    }
}

/// Buckets for so many flows.
fn buckets(slots: u32) -> u32 {
    slots.clamp(MIN_SLOTS, MAX_SLOTS).next_power_of_two() / SLOTS_PER_BUCKET
}
