//! The atlas: the map of the whole Internet, prefix -> class -> profile, with the evidence.
//!
//! An atlas file holds what the sources say, each for itself ([`layers`]), and the tables that came
//! out of joining them ([`join`]) with the catalogue it was written with. Opening it reads the
//! tables and spells their keys out: each distinct profile becomes a class. With another catalogue,
//! or the same one on another day that matters, the layers are joined anew: a corrected fact needs
//! no new data. The layers themselves are read when somebody first asks for evidence.

mod address;
mod claims;
mod codec;
mod confidence;
mod container;
mod dossier;
mod error;
mod evidence;
mod facts;
mod file;
mod front;
mod index;
mod join;
mod joined;
mod kernel;
pub mod layers;
mod names;
mod note;
mod prefix;
pub mod range;
mod regions;
mod special;
mod spell;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use jiff::civil::Date;

pub use self::dossier::{Axis, Claim, Confidence, Confidences, Dossier, Level};
pub use self::error::AtlasError;
pub(crate) use self::facts::own_word;
pub use self::kernel::KernelTables;
pub use self::layers::{AsInfo, AtlasMeta, Layers, SourceInfo, SourceRole};
pub(crate) use self::prefix::{PrefixSet, split};
pub(crate) use self::regions::{RegionSays, Regions};
pub use self::special::embedded_v4;

use self::container::Container;
use self::evidence::Evidence;
use self::front::Front;
use self::index::Index;
use self::join::Tables;
use self::names::Names;
use self::range::{Address, Partition};
use self::special::SpecialRow;
use self::spell::Classes;
use crate::catalogue::Catalogue;
use crate::profile::Profile;
use crate::{CLASS_UNKNOWN, ClassId};

/// The atlas that is part of the program.
const EMBEDDED: &[u8] = include_bytes!("../../data/atlas.bin");
const EMBEDDED_NAME: &str = "(embedded)";

/// Look-ups of one family that are answered by searching its pieces. An index costs as much to make
/// as so many of them: whoever asks less often needs none.
const SEARCHED: u32 = 1 << 15;

/// One family's table from address to class.
struct Table<A: Address> {
    classes: Partition<A, ClassId>,
    /// Look-ups answered without an index.
    searched: AtomicU32,
    /// Both are made when they are worth it: see [`SEARCHED`].
    index: OnceLock<Index<A>>,
    /// Of IPv4 only.
    front: OnceLock<Front>,
}

impl<A: Address> Table<A> {
    fn new(classes: Partition<A, ClassId>) -> Self {
        Self {
            searched: AtomicU32::new(0),
            index: OnceLock::new(),
            front: OnceLock::new(),
            classes,
        }
    }

    /// Whether one more look-up is to be answered without an index.
    #[cold]
    fn searches(&self) -> bool {
        let few = self.searched.load(Ordering::Relaxed) < SEARCHED;
        if few {
            // Look-ups in other threads may pass the bound by their number: it is about a cost.
            self.searched.fetch_add(1, Ordering::Relaxed);
        }
        few
    }

    /// The class by index, which is made when there is none.
    #[inline]
    fn indexed(&self, address: A) -> ClassId {
        let index = self.index.get_or_init(|| Index::new(&self.classes));
        let found = index.find(self.classes.starts(), address);
        self.classes.value(found)
    }
}

impl Table<u128> {
    #[inline]
    fn class_of(&self, address: u128) -> ClassId {
        if self.index.get().is_none() && self.searches() {
            return self.classes.get(address);
        }
        self.indexed(address)
    }
}

impl Table<u32> {
    #[inline]
    fn class_of(&self, address: u32) -> ClassId {
        if self.front.get().is_none() && self.searches() {
            return self.classes.get(address);
        }
        let front = self.front.get_or_init(|| Front::new(&self.classes));
        front
            .class_of(address)
            .unwrap_or_else(|| self.indexed(address))
    }
}

/// The embedded catalogue, as of its own day or another one.
fn catalogue_as_of(day: Option<Date>) -> Result<Arc<Catalogue>, AtlasError> {
    let catalogue = Catalogue::embedded()?;
    Ok(day.map_or_else(|| Arc::clone(&catalogue), |day| Arc::new(catalogue.at(day))))
}

/// The map of the Internet. Immutable: share it as `Arc<Atlas>`.
pub struct Atlas {
    catalogue: Arc<Catalogue>,
    evidence: Evidence,
    stored_join: bool,
    registry_v4: PrefixSet<u32, SpecialRow>,
    registry_v6: PrefixSet<u128, SpecialRow>,
    profiles: Vec<Arc<Profile>>,
    v4: Table<u32>,
    v6: Table<u128>,
}

impl Atlas {
    /// The atlas that is part of the program, with its catalogue.
    ///
    /// # Errors
    /// When the embedded data or catalogue is damaged, which a test rules out.
    pub fn embedded() -> Result<Self, AtlasError> {
        Self::embedded_as_of(None)
    }

    /// The same, with the laws, parents and seats of a day: as much work as [`Self::embedded`].
    ///
    /// # Errors
    /// As [`Self::embedded`]; when that day's catalogue makes more classes than there are class
    /// numbers.
    pub fn embedded_at(day: Date) -> Result<Self, AtlasError> {
        Self::embedded_as_of(Some(day))
    }

    fn embedded_as_of(day: Option<Date>) -> Result<Self, AtlasError> {
        let (container, catalogue) = std::thread::scope(|scope| {
            let catalogue = scope.spawn(|| catalogue_as_of(day));
            let container = Container::new(EMBEDDED_NAME, Cow::Borrowed(EMBEDDED));
            let catalogue = catalogue
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (container, catalogue)
        });
        Self::from_container(&container?, catalogue?)
    }

    /// The atlas in the file at `path`, with the embedded catalogue.
    ///
    /// # Errors
    /// When the file cannot be read, is no atlas, of another format, or damaged.
    pub fn open(path: &Path) -> Result<Self, AtlasError> {
        Self::from_container(&file::open(path)?, catalogue_as_of(None)?)
    }

    /// The same, with the laws, parents and seats of a day.
    ///
    /// # Errors
    /// As [`Self::open`]; when that day's catalogue makes more classes than there are class numbers.
    pub fn open_at(path: &Path, day: Date) -> Result<Self, AtlasError> {
        Self::from_container(&file::open(path)?, catalogue_as_of(Some(day))?)
    }

    /// The atlas in the bytes of `file`, with the embedded catalogue.
    ///
    /// # Errors
    /// When they are no atlas, of another format, or damaged.
    pub fn from_bytes(file: &str, bytes: Vec<u8>) -> Result<Self, AtlasError> {
        let container = Container::new(file, Cow::Owned(bytes))?;
        Self::from_container(&container, catalogue_as_of(None)?)
    }

    /// The same, with the laws, parents and seats of a day.
    ///
    /// # Errors
    /// As [`Self::from_bytes`]; when that day's catalogue makes more classes than there are class
    /// numbers.
    pub fn from_bytes_at(file: &str, bytes: Vec<u8>, day: Date) -> Result<Self, AtlasError> {
        let container = Container::new(file, Cow::Owned(bytes))?;
        Self::from_container(&container, catalogue_as_of(Some(day))?)
    }

    /// Joins layers with a catalogue.
    ///
    /// # Errors
    /// When they make more classes than there are class numbers, or an override names what the
    /// catalogue does not hold.
    pub fn new(layers: Layers, catalogue: Arc<Catalogue>) -> Result<Self, AtlasError> {
        let evidence = Evidence::of_layers(layers, Regions::embedded()?);
        Self::with_evidence(evidence, catalogue, None)
    }

    /// The same data under another catalogue, such as the same one on another day. Tables that were
    /// stored with the data are used when they hold for that catalogue as well.
    ///
    /// # Errors
    /// As [`Self::new`]; when the data are damaged.
    pub fn with_catalogue(&self, catalogue: Arc<Catalogue>) -> Result<Self, AtlasError> {
        match self.evidence.container() {
            Some(container) => {
                let evidence = self.evidence.shared();
                let stored = Self::stored(container, &evidence, &catalogue)?;
                Self::with_evidence(evidence, catalogue, stored)
            }
            None => Self::with_evidence(self.evidence.shared(), catalogue, None),
        }
    }

    fn from_container(
        container: &Container,
        catalogue: Arc<Catalogue>,
    ) -> Result<Self, AtlasError> {
        let evidence = Evidence::of_file(container.clone(), Regions::embedded()?)?;
        let stored = Self::stored(container, &evidence, &catalogue)?;
        Self::with_evidence(evidence, catalogue, stored)
    }

    fn stored(
        container: &Container,
        evidence: &Evidence,
        catalogue: &Catalogue,
    ) -> Result<Option<Tables>, AtlasError> {
        let names = Names::new(catalogue);
        let overrides = evidence.overrides();
        joined::read(container, catalogue, evidence.regions(), overrides, &names)
    }

    fn with_evidence(
        evidence: Evidence,
        catalogue: Arc<Catalogue>,
        stored: Option<Tables>,
    ) -> Result<Self, AtlasError> {
        let stored_join = stored.is_some();
        let (joined_v4, joined_v6) = if let Some(tables) = stored {
            tables
        } else {
            let (layers, facts) = evidence.read(&catalogue)?;
            joined::join_families(layers, facts)
        };
        let names = Names::new(&catalogue);
        let mut classes = Classes::new();
        let of_v4 = classes.of_keys(&joined_v4.keys, &names, &catalogue)?;
        let of_v6 = classes.of_keys(&joined_v6.keys, &names, &catalogue)?;
        let class = |classes: &[ClassId], key: u32| {
            let class = classes.get(key as usize);
            class.copied().unwrap_or(CLASS_UNKNOWN)
        };
        let v4 = Table::new(joined_v4.pieces.map(|key| class(&of_v4, key)));
        let v6 = Table::new(joined_v6.pieces.map(|key| class(&of_v6, key)));
        Ok(Self {
            profiles: classes.into_profiles(),
            v4,
            v6,
            catalogue,
            evidence,
            stored_join,
            registry_v4: special::registry_v4(),
            registry_v6: special::registry_v6(),
        })
    }

    /// What it is made of.
    #[must_use]
    pub fn meta(&self) -> &AtlasMeta {
        self.evidence.meta()
    }

    /// The catalogue it was joined with.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Did the tables come from the file as they were? When not, the layers were joined anew because
    /// the catalogue, or the day, is another one: that takes longer and is no less right.
    #[must_use]
    pub fn stored_join(&self) -> bool {
        self.stored_join
    }

    /// Makes now what look-ups would make when it is worth it: indexes, and the evidence read. For
    /// who must answer every question at once; takes about a tenth of a second.
    ///
    /// # Errors
    /// See [`Self::layers`].
    pub fn prepare(&self) -> Result<(), AtlasError> {
        self.v4.front.get_or_init(|| Front::new(&self.v4.classes));
        self.v4.index.get_or_init(|| Index::new(&self.v4.classes));
        self.v6.index.get_or_init(|| Index::new(&self.v6.classes));
        self.layers().map(|_| ())
    }

    /// What the sources say, each for itself. Read when first asked for.
    ///
    /// # Errors
    /// When the file was made wrong: damage after it was made is found when it is opened.
    pub fn layers(&self) -> Result<&Layers, AtlasError> {
        self.evidence
            .read(&self.catalogue)
            .map(|(layers, _)| layers)
    }

    /// Reads all of the evidence and joins it anew, and compares with the tables that answer.
    ///
    /// # Errors
    /// When the evidence cannot be read, or says something else than the tables do.
    pub fn verify(&self) -> Result<(), AtlasError> {
        let again = Self::with_evidence(self.evidence.shared(), Arc::clone(&self.catalogue), None)?;
        let equal = self.profiles == again.profiles
            && self.v4.classes == again.v4.classes
            && self.v6.classes == again.v6.classes;
        if equal {
            Ok(())
        } else {
            Err(AtlasError::Damaged {
                file: self.evidence.file().to_owned(),
                what: "the joined tables are not what its evidence says".to_owned(),
            })
        }
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

    /// The number of the AS that announces an address: as [`Self::asn_of`], without its name.
    #[must_use]
    pub fn asn_number_of(&self, address: IpAddr) -> Option<u32> {
        let layers = self.layers().ok()?;
        layers.system_number(layers.system_of(address))
    }

    /// The AS that announces an address; `None` in unannounced space. Reads the evidence when first
    /// asked; `None` as well when it cannot be read, see [`Self::layers`].
    #[must_use]
    pub fn asn_of(&self, address: IpAddr) -> Option<AsInfo> {
        let layers = self.layers().ok()?;
        layers.system(layers.system_of(address))
    }

    /// Every prefix that an AS announces, IPv4 first; empty when it announces none, or when the
    /// evidence cannot be read, see [`Self::layers`].
    #[must_use]
    pub fn prefixes_of_asn(&self, asn: u32) -> Vec<IpNet> {
        self.layers()
            .map(|layers| layers.prefixes_of_system(asn))
            .unwrap_or_default()
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
