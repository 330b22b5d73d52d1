//! The atlas: the map of the whole Internet, prefix -> class -> profile, with the evidence.
//!
//! An atlas file holds what the sources say, each for itself ([`layers`]). Opening it joins them
//! with the catalogue ([`join`]): each distinct profile becomes a class, each family a table from
//! address to class. A corrected fact in the catalogue therefore needs no new data.

mod address;
mod claims;
mod codec;
mod dossier;
mod error;
mod facts;
mod file;
mod index;
mod join;
mod kernel;
pub mod layers;
mod note;
mod prefix;
pub mod range;
mod regions;
mod special;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

pub use self::dossier::{Axis, Claim, Dossier};
pub use self::error::AtlasError;
pub use self::kernel::KernelTables;
pub use self::layers::{AsInfo, AtlasMeta, Layers, SourceInfo, SourceRole};
pub(crate) use self::prefix::PrefixSet;
pub use self::special::embedded_v4;

use self::facts::Facts;
use self::index::Index;
use self::join::{Joined, join, profile_of};
use self::range::{Address, Partition};
use self::regions::Regions;
use self::special::SpecialRow;
use crate::catalogue::Catalogue;
use crate::profile::Profile;
use crate::{CLASS_MAX, CLASS_UNKNOWN, ClassId};

/// The atlas that is part of the program.
const EMBEDDED: &[u8] = include_bytes!("../../data/atlas.bin");
const EMBEDDED_NAME: &str = "(embedded)";

/// One family's table from address to class.
struct Table<A: Address> {
    classes: Partition<A, ClassId>,
    index: Index<A>,
}

impl<A: Address> Table<A> {
    fn new(joined: &Joined<A>, class_of_key: &[ClassId]) -> Self {
        let mut classes = Partition::with_capacity(joined.pieces.len());
        for piece in joined.pieces.pieces() {
            let class = class_of_key.get(piece.value as usize);
            classes.push(piece.first, class.copied().unwrap_or(CLASS_UNKNOWN));
        }
        Self {
            index: Index::new(&classes),
            classes,
        }
    }

    #[inline]
    fn class_of(&self, address: A) -> ClassId {
        let found = self.index.find(self.classes.starts(), address);
        self.classes.value(found)
    }
}

/// The map of the Internet. Immutable: share it as `Arc<Atlas>`.
pub struct Atlas {
    catalogue: Arc<Catalogue>,
    layers: Layers,
    facts: Facts,
    registry_v4: PrefixSet<u32, SpecialRow>,
    registry_v6: PrefixSet<u128, SpecialRow>,
    profiles: Vec<Arc<Profile>>,
    v4: Table<u32>,
    v6: Table<u128>,
}

impl Atlas {
    /// The atlas that is part of the program, joined with its catalogue.
    ///
    /// # Errors
    /// When the embedded data or catalogue is damaged, which a test rules out.
    pub fn embedded() -> Result<Self, AtlasError> {
        let (layers, catalogue) = std::thread::scope(|scope| {
            let catalogue = scope.spawn(Catalogue::embedded);
            let layers = Layers::from_bytes(EMBEDDED_NAME, EMBEDDED);
            let catalogue = catalogue
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (layers, catalogue)
        });
        Self::new(layers?, catalogue?)
    }

    /// The atlas in the file at `path`, joined with the embedded catalogue.
    ///
    /// # Errors
    /// When the file cannot be read, is no atlas, of another format, or damaged.
    pub fn open(path: &Path) -> Result<Self, AtlasError> {
        Self::new(Layers::open(path)?, Catalogue::embedded()?)
    }

    /// Joins layers with a catalogue.
    ///
    /// # Errors
    /// When they make more classes than there are class numbers.
    pub fn new(layers: Layers, catalogue: Arc<Catalogue>) -> Result<Self, AtlasError> {
        let facts = Facts::new(&layers, &catalogue, Regions::embedded()?);
        let registry_v4 = special::registry_v4();
        let registry_v6 = special::registry_v6();
        // The families are independent until classes are numbered: join them side by side.
        let (joined_v4, joined_v6) = std::thread::scope(|scope| {
            let v6 = scope.spawn(|| join(&layers, &facts, &layers.v6, &facts.v6, &registry_v6));
            let v4 = join(&layers, &facts, &layers.v4, &facts.v4, &registry_v4);
            let v6 = v6
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (v4, v6)
        });
        let mut classes = Classes::new();
        let mut number = |joined: &[join::Key]| -> Result<Vec<ClassId>, AtlasError> {
            let profiles = joined.iter().map(|key| profile_of(key, &facts, &catalogue));
            profiles.map(|profile| classes.number(profile)).collect()
        };
        let of_v4 = number(&joined_v4.keys)?;
        let of_v6 = number(&joined_v6.keys)?;
        let (v4, v6) = std::thread::scope(|scope| {
            let v6 = scope.spawn(|| Table::new(&joined_v6, &of_v6));
            let v4 = Table::new(&joined_v4, &of_v4);
            let v6 = v6
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (v4, v6)
        });
        Ok(Self {
            profiles: classes.profiles,
            v4,
            v6,
            catalogue,
            facts,
            registry_v4,
            registry_v6,
            layers,
        })
    }

    /// What it is made of.
    #[must_use]
    pub fn meta(&self) -> &AtlasMeta {
        &self.layers.meta
    }

    /// The catalogue it was joined with.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// The class of an address; 0 when nothing is known.
    #[inline]
    #[must_use]
    pub fn class_of(&self, address: IpAddr) -> ClassId {
        match address {
            IpAddr::V4(address) => self.v4.class_of(address.into()),
            IpAddr::V6(address) => self.v6.class_of(address.into()),
        }
    }

    /// The profile of a class; that of class 0 when there is no such class.
    #[must_use]
    pub fn profile(&self, class: ClassId) -> &Arc<Profile> {
        // Class 0 is made before all others.
        self.profiles
            .get(usize::from(class))
            .unwrap_or_else(|| &self.profiles[0])
    }

    /// All profiles, by class; the first is [`Profile::unknown`].
    #[must_use]
    pub fn profiles(&self) -> &[Arc<Profile>] {
        &self.profiles
    }

    /// The AS that announces an address; `None` in unannounced space.
    #[must_use]
    pub fn asn_of(&self, address: IpAddr) -> Option<AsInfo> {
        let system = match address {
            IpAddr::V4(address) => self.layers.v4.systems.get(address.into()),
            IpAddr::V6(address) => self.layers.v6.systems.get(address.into()),
        };
        self.layers.system(system)
    }

    /// Every prefix that an AS announces, IPv4 first; empty when it announces none.
    #[must_use]
    pub fn prefixes_of_asn(&self, asn: u32) -> Vec<IpNet> {
        self.layers.prefixes_of_system(asn)
    }

    /// Everything that is said of an address: by whom, since when, and what won.
    #[must_use]
    pub fn dossier(&self, address: IpAddr) -> Dossier {
        claims::compile(self, address)
    }

    /// Both families in the shapes that the kernel programs walk.
    ///
    /// # Errors
    /// When they need more room than the kernel's maps have.
    pub fn kernel_tables(&self) -> Result<KernelTables, AtlasError> {
        KernelTables::new(&self.v4.classes, &self.v6.classes)
    }

    /// The IPv4 table: starts and classes of its pieces.
    #[must_use]
    pub fn classes_v4(&self) -> &Partition<u32, ClassId> {
        &self.v4.classes
    }

    /// The IPv6 table: starts and classes of its pieces.
    #[must_use]
    pub fn classes_v6(&self) -> &Partition<u128, ClassId> {
        &self.v6.classes
    }
}

/// Numbers distinct profiles in the order in which they come up.
struct Classes {
    profiles: Vec<Arc<Profile>>,
    numbers: HashMap<Arc<Profile>, ClassId, foldhash::fast::RandomState>,
}

impl Classes {
    fn new() -> Self {
        let unknown = Arc::new(Profile::unknown());
        let mut numbers = HashMap::default();
        numbers.insert(Arc::clone(&unknown), CLASS_UNKNOWN);
        Self {
            profiles: vec![unknown],
            numbers,
        }
    }

    fn number(&mut self, profile: Profile) -> Result<ClassId, AtlasError> {
        if let Some(number) = self.numbers.get(&profile) {
            return Ok(*number);
        }
        let number = ClassId::try_from(self.profiles.len())
            .ok()
            .filter(|number| *number <= CLASS_MAX)
            .ok_or(AtlasError::Bound {
                what: "classes",
                needed: self.profiles.len() + 1,
                limit: usize::from(CLASS_MAX) + 1,
                remedy: "leave out services or operators that share prefixes with many countries",
            })?;
        let profile = Arc::new(profile);
        self.profiles.push(Arc::clone(&profile));
        self.numbers.insert(profile, number);
        Ok(number)
    }
}
