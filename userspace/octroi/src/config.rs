//! The daemon's configuration file: strict, every unknown key is an error.

mod interface;

use std::path::{Path, PathBuf};

use octroi_abi::table::{V4_SLOTS, V6_SLOTS};
use octroi_events::call::{GAP_S, LEAST_SECONDS};
use serde::Deserialize;

pub(crate) use self::interface::{Interface, Role};

/// Where pins live unless the configuration says otherwise.
pub(crate) const DEFAULT_PIN_ROOT: &str = "/sys/fs/bpf/octroi";
/// Where the daemon listens unless the configuration says otherwise.
pub(crate) const DEFAULT_SOCKET: &str = "/run/octroi/octroi.sock";

/// What `octroi run` needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Interfaces: where the zones' packets enter the gateway, or leave this host.
    #[serde(deserialize_with = "interface::list")]
    pub(crate) interfaces: Vec<Interface>,
    /// How the XDP program is attached, where an interface does not say it.
    #[serde(default)]
    pub(crate) xdp_mode: XdpMode,
    /// A policy file (relative to the configuration file), or the name of a preset.
    pub(crate) policy: String,
    /// The atlas.
    #[serde(default)]
    pub(crate) atlas: AtlasConfig,
    /// Directory of the pins, on a bpf file system.
    #[serde(default = "default_pin_root")]
    pub(crate) pin_root: PathBuf,
    /// The Unix socket of the daemon.
    #[serde(default = "default_socket")]
    pub(crate) socket: PathBuf,
    /// A group whose members may read flows and alerts over the socket.
    pub(crate) socket_group: Option<String>,
    /// Name of this gateway in events; the host name when absent.
    pub(crate) host: Option<String>,
    /// Event streams.
    #[serde(default)]
    pub(crate) events: EventsConfig,
    /// Naming of flows.
    #[serde(default)]
    pub(crate) names: NamesConfig,
    /// When flows end.
    #[serde(default)]
    pub(crate) flows: FlowsConfig,
    /// What is taken for a call of people.
    #[serde(default)]
    pub(crate) calls: CallsConfig,
}

/// How the XDP program is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum XdpMode {
    /// In the driver; refused where the driver cannot.
    #[default]
    Native,
    /// In the kernel's generic path: slower, and only by the administrator's word.
    Generic,
}

/// The atlas: which file, who signs it, how it is kept new.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AtlasConfig {
    /// An atlas file; the one inside the binary when absent.
    pub(crate) file: Option<PathBuf>,
    /// The file must be signed: a minisign public key, its line or a file with it.
    pub(crate) public_key: Option<String>,
    /// The declaration of sources from which this gateway makes `file` itself.
    pub(crate) sources: Option<PathBuf>,
    /// Directory of packages that the declaration names; its own directory when absent.
    pub(crate) packages: Option<PathBuf>,
    /// Directory of fetched files; `sources` beside `file` when absent.
    pub(crate) cache: Option<PathBuf>,
    /// Hours between two updates. 0: only when asked (SIGUSR1).
    pub(crate) update_every_h: u32,
    /// Seconds of silence after which a server is left.
    pub(crate) timeout_s: u64,
    /// Data older than this is a problem to tell, days.
    pub(crate) max_age_d: u32,
}

impl Default for AtlasConfig {
    fn default() -> Self {
        Self {
            file: None,
            public_key: None,
            sources: None,
            packages: None,
            cache: None,
            update_every_h: 24,
            timeout_s: 30,
            max_age_d: 180,
        }
    }
}

impl AtlasConfig {
    /// Why it cannot work.
    fn problem(&self) -> Option<&'static str> {
        if self.file.is_none() && (self.public_key.is_some() || self.sources.is_some()) {
            Some("`atlas.public_key` and `atlas.sources` are about `atlas.file`: name the file")
        } else if self.public_key.is_some() && self.sources.is_some() {
            Some(
                "`atlas.public_key` and `atlas.sources` exclude each other: nobody signs what this \
                 gateway builds itself (build and sign it elsewhere, or leave the key out)",
            )
        } else if !(1..=3_600).contains(&self.timeout_s) {
            Some("`atlas.timeout_s` is not within 1 to 3600 seconds")
        } else {
            None
        }
    }
}

/// Event streams.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EventsConfig {
    /// File for EVE JSON lines.
    pub(crate) eve: Option<PathBuf>,
    /// The file is rotated when it reaches this size, bytes.
    pub(crate) rotate_bytes: u64,
    /// Rotated files kept.
    pub(crate) keep: u32,
    /// EVE JSON lines on standard output too.
    pub(crate) stdout: bool,
    /// Flow records (one line at the end of each conversation).
    pub(crate) flow_records: bool,
    /// Seconds between two records of statistics.
    pub(crate) stats_interval_s: u64,
    /// Alerts alike (same zone, source, operator, service, rule) within this many seconds are told
    /// once, with their count. 0: every one.
    pub(crate) fold_s: u64,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            eve: None,
            rotate_bytes: 100 << 20,
            keep: 10,
            stdout: false,
            flow_records: true,
            stats_interval_s: 30,
            fold_s: 10,
        }
    }
}

/// Naming of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NamesConfig {
    /// A name may change a flow's verdict (and cut it); otherwise names are only shown.
    pub(crate) enforce: bool,
}

impl Default for NamesConfig {
    fn default() -> Self {
        Self { enforce: true }
    }
}

/// When a silent flow counts as ended, seconds; and for how many there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FlowsConfig {
    /// TCP, handshake done.
    pub(crate) tcp_established_s: u64,
    /// TCP, handshake not done, or stopped.
    pub(crate) tcp_opening_s: u64,
    /// TCP, after FIN one way.
    pub(crate) tcp_half_closed_s: u64,
    /// TCP, after FIN both ways or RST.
    pub(crate) tcp_closed_s: u64,
    /// UDP.
    pub(crate) udp_s: u64,
    /// Everything else.
    pub(crate) other_s: u64,
    /// IPv4 flows that the kernel's table has room for.
    pub(crate) room_v4: u32,
    /// IPv6 flows that the kernel's table has room for.
    pub(crate) room_v6: u32,
}

impl Default for FlowsConfig {
    fn default() -> Self {
        // RFC 5382 (TCP: at least 2 h 4 min established, 4 min transitory is for NATs, which must
        // not break a flow; here an ended flow is only judged again) and RFC 4787 (UDP: 2 min).
        Self {
            tcp_established_s: 7_440,
            tcp_opening_s: 60,
            tcp_half_closed_s: 240,
            tcp_closed_s: 5,
            udp_s: 120,
            other_s: 60,
            room_v4: V4_SLOTS,
            room_v6: V6_SLOTS,
        }
    }
}

/// What is taken for a call of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CallsConfig {
    /// Shortest media flow that counts, seconds.
    pub(crate) least_s: u64,
    /// Longest silence inside one call, seconds.
    pub(crate) gap_s: u64,
}

impl Default for CallsConfig {
    fn default() -> Self {
        Self {
            least_s: LEAST_SECONDS,
            gap_s: GAP_S,
        }
    }
}

fn default_pin_root() -> PathBuf {
    PathBuf::from(DEFAULT_PIN_ROOT)
}

fn default_socket() -> PathBuf {
    PathBuf::from(DEFAULT_SOCKET)
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what is expected.
    #[error("{path}:{line}:{column}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A value that parses and cannot work.
    #[error("{path}: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong and the remedy.
        message: String,
    },
}

impl Config {
    /// Reads a configuration file. Relative paths in it are relative to its directory.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, has an unknown key or a value that cannot work.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let directory = path.parent().unwrap_or_else(|| Path::new("."));
        Self::parse(&text, path, directory)
    }

    fn parse(text: &str, path: &Path, directory: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let (line, column) = error
                .span()
                .map_or((1, 1), |span| position(text, span.start));
            let message = error.message().to_owned();
            ConfigError::Parse {
                path: path.to_owned(),
                line,
                column,
                message,
            }
        })?;
        let refuse = |message: &str| {
            Err(ConfigError::Value {
                path: path.to_owned(),
                message: message.to_owned(),
            })
        };
        if config.events.rotate_bytes < 4_096 {
            return refuse(
                "`events.rotate_bytes` is below 4096: one event can be longer than that",
            );
        }
        if config.events.stats_interval_s == 0 {
            return refuse("`events.stats_interval_s` is 0: give at least 1 second");
        }
        if !(1..=3_600).contains(&config.calls.least_s) || config.calls.gap_s > 3_600 {
            return refuse(
                "`calls.least_s` is not within 1 to 3600 seconds, or `calls.gap_s` above 3600",
            );
        }
        if let Some(problem) = config.atlas.problem() {
            return refuse(problem);
        }
        let atlas = &mut config.atlas;
        for path in [
            &mut atlas.file,
            &mut atlas.sources,
            &mut atlas.packages,
            &mut atlas.cache,
            &mut config.events.eve,
        ]
        .into_iter()
        .flatten()
        {
            *path = directory.join(&*path);
        }
        if let Some(key) = &mut atlas.public_key
            && crate::geo_db::signature::read_key(key).is_err()
        {
            // Not the key itself: a file with it.
            *key = directory.join(&*key).to_string_lossy().into_owned();
        }
        if octroi_policy::Policy::preset(&config.policy).is_none() {
            config.policy = directory
                .join(&config.policy)
                .to_string_lossy()
                .into_owned();
        }
        Ok(config)
    }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |rest| rest.chars().count())
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("octroi.toml"), Path::new("/etc/octroi"))
    }

    #[test]
    fn the_smallest_configuration_names_an_interface_and_a_policy() {
        let config = parse("interfaces = [\"lan0\"]\npolicy = \"observe\"\n").unwrap();
        assert_eq!(config.policy, "observe");
        assert_eq!(config.socket, Path::new(DEFAULT_SOCKET));
        assert_eq!(config.xdp_mode, XdpMode::Native);
    }

    #[test]
    fn relative_paths_are_relative_to_the_file() {
        let config =
            parse("interfaces = [\"lan0\"]\npolicy = \"p.toml\"\n[events]\neve = \"eve.json\"\n")
                .unwrap();
        assert_eq!(config.policy, "/etc/octroi/p.toml");
        assert_eq!(
            config.events.eve.as_deref(),
            Some(Path::new("/etc/octroi/eve.json"))
        );
    }

    #[test]
    fn errors_name_the_place() {
        let message = parse("interfaces = [\"lan0\"]\npolicy = \"observe\"\npolicies = 1\n")
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("octroi.toml:3:1: unknown field `policies`"),
            "{message}"
        );
        let message = parse("interfaces = []\npolicy = \"observe\"\n")
            .unwrap_err()
            .to_string();
        assert!(message.contains("`interfaces` is empty"), "{message}");
    }

    #[test]
    fn the_length_of_calls_is_bounded() {
        let base = "interfaces = [\"lan0\"]\npolicy = \"observe\"\n";
        assert_eq!(parse(base).unwrap().calls.least_s, 20);
        let chosen = parse(&format!("{base}[calls]\nleast_s = 3\ngap_s = 0\n")).unwrap();
        assert_eq!((chosen.calls.least_s, chosen.calls.gap_s), (3, 0));
        for table in ["least_s = 0", "least_s = 3601", "gap_s = 3601"] {
            let error = parse(&format!("{base}[calls]\n{table}\n")).unwrap_err();
            assert!(error.to_string().contains("1 to 3600"), "{error}");
        }
    }

    #[test]
    fn the_atlas_is_a_table_whose_keys_must_fit_together() {
        let base = "interfaces = [\"lan0\"]\npolicy = \"observe\"\n";
        let config = parse(&format!(
            "{base}[atlas]\nfile = \"a\"\nsources = \"s.toml\"\n"
        ));
        let atlas = config.unwrap().atlas;
        assert_eq!(atlas.file.as_deref(), Some(Path::new("/etc/octroi/a")));
        assert_eq!(
            atlas.sources.as_deref(),
            Some(Path::new("/etc/octroi/s.toml"))
        );
        let config = parse(&format!(
            "{base}[atlas]\nfile = \"a\"\npublic_key = \"k.pub\"\n"
        ));
        let key = config.unwrap().atlas.public_key;
        assert_eq!(key.as_deref(), Some("/etc/octroi/k.pub"));
        for (table, says) in [
            ("sources = \"s.toml\"", "name the file"),
            ("public_key = \"RW\"", "name the file"),
            (
                "file = \"a\"\nsources = \"s\"\npublic_key = \"k\"",
                "exclude each other",
            ),
            ("timeout_s = 0", "1 to 3600"),
            ("path = \"a\"", "unknown field `path`"),
        ] {
            let error = parse(&format!("{base}[atlas]\n{table}\n")).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
