//! Bounds of what a [`super::Namer`] keeps, and counters of what it gave up.

/// Bounds of what a [`super::Namer`] keeps. Where a table is full, the client that has most in it
/// makes room: one that has less than half of that loses nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamerLimits {
    /// Flows remembered (what they were named, what is being put together).
    pub flows: usize,
    /// Bytes held of one direction of one flow while its hello or request head is incomplete.
    pub stream_bytes: usize,
    /// Bytes held so, all flows together.
    pub total_bytes: usize,
    /// Bytes held so, all flows of one client (inside address) together.
    pub client_bytes: usize,
    /// Addresses bound to a name, one for each (client, address).
    pub bindings: usize,
    /// What they take with all their names and aliases, about, bytes.
    pub binding_bytes: usize,
    /// Names of which a client was told who provides them and with which keys (HTTPS records).
    pub services: usize,
    /// What they take, about, bytes.
    pub service_bytes: usize,
    /// DNS queries waiting for their answer.
    pub queries: usize,
    /// Answers are believed only when their query was seen.
    pub answers_need_queries: bool,
    /// A flow silent for longer is forgotten by `expire`.
    pub idle_ns: u64,
}

impl Default for NamerLimits {
    fn default() -> Self {
        Self {
            flows: 65_536,
            stream_bytes: 65_536,
            total_bytes: 32 << 20,
            client_bytes: 4 << 20,
            bindings: 131_072,
            binding_bytes: 64 << 20,
            services: 32_768,
            service_bytes: 16 << 20,
            queries: 16_384,
            answers_need_queries: true,
            idle_ns: 120 * 1_000_000_000,
        }
    }
}

impl NamerLimits {
    /// The bounds of one of so many parts that share what is kept of flows. What DNS told, and its
    /// queries, are not divided.
    #[must_use]
    pub fn divided(self, parts: usize) -> Self {
        let parts = parts.max(1);
        Self {
            flows: self.flows / parts,
            total_bytes: self.total_bytes / parts,
            ..self
        }
    }
}

/// What was seen and what was given up, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct NamerStats {
    /// Samples with payload.
    pub samples: u64,
    /// Names given.
    pub names: u64,
    /// Flows of which it became sure that the client says no name.
    pub nameless: u64,
    /// TLS, DTLS and QUIC hellos read whole.
    pub hellos: u64,
    /// Of these, without a server name.
    pub hellos_without_name: u64,
    /// Of all hellos, with an encrypted hello or its placeholder.
    pub hellos_with_ech: u64,
    /// Names refused because they are no host names.
    pub invalid_names: u64,
    /// DNS messages read.
    pub dns_messages: u64,
    /// DNS messages that could not be read.
    pub dns_malformed: u64,
    /// DNS answers without a query, not believed.
    pub dns_unasked: u64,
    /// DNS answers whose aliases loop, or are more than [`super::MAX_CHAIN`].
    pub dns_endless: u64,
    /// DNS queries forgotten to make room before they were answered, or after.
    pub queries_evicted: u64,
    /// QUIC packets that look like a client's first but do not decrypt.
    pub quic_undecryptable: u64,
    /// QUIC packets of a version without known keys.
    pub quic_unknown_version: u64,
    /// Streams given up because they turned out to be something else.
    pub streams_malformed: u64,
    /// Streams given up because one of them grew beyond `stream_bytes`.
    pub streams_too_long: u64,
    /// Directions of streams whose start was waited for in vain: too many segments came before it.
    pub starts_missed: u64,
    /// Streams given up because pieces of them contradict each other: which ones the server takes
    /// is not sure.
    pub streams_contradicted: u64,
    /// Payloads not held because `total_bytes`, or `client_bytes` of their client, are held already.
    pub memory_refused: u64,
    /// Flows forgotten with an incomplete hello: evicted, or idle.
    pub incomplete: u64,
    /// Flows forgotten to make room.
    pub flows_evicted: u64,
    /// Bindings forgotten to make room.
    pub bindings_evicted: u64,
    /// Names of an address with more names than are kept of one, forgotten.
    pub names_forgotten: u64,
    /// Service records forgotten to make room.
    pub services_evicted: u64,
    /// Certificates read of servers whose client said no name.
    pub certificates: u64,
    /// Of these, the ones that gave no name that is sure.
    pub certificates_without_name: u64,
    /// Flows remembered now.
    pub flows: u64,
    /// Bindings held now.
    pub bindings: u64,
    /// Bytes of incomplete streams held now.
    pub held_bytes: u64,
    /// What bindings and service records take now, about, bytes.
    pub name_bytes: u64,
}
