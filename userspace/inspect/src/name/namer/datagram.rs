//! UDP: QUIC, DTLS, and what has no names.

use super::{Namer, State};
use crate::name::dtls::{self, Fragments};
use crate::name::memo::{Memo, Said};
use crate::name::quic::{self, Connection};
use crate::name::shape::{self, Rtp};
use crate::name::{AppProtocol, NameEvent, Sample};

impl Namer {
    /// A datagram that is not DNS.
    pub(super) fn datagram(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        out: &mut Vec<NameEvent>,
    ) -> State {
        let ports = [sample.key.inside_port, sample.key.outside_port];
        let is_open = if quic::may_be(sample.payload) {
            self.quic(sample, memo, out)
        } else if dtls::is_record(sample.payload) {
            self.dtls(sample, memo, out)
        } else {
            if memo.speaks == AppProtocol::Unknown {
                match shape::datagram(sample.payload, ports) {
                    Some(protocol) => self.speaks(sample, memo, protocol, out),
                    None => {
                        self.media(sample, memo, out);
                    }
                }
            }
            false
        };
        match (is_open, sample.outbound) {
            (true, true) => State::Open,
            (false, true) => State::Silent,
            (_, false) => State::Talk,
        }
    }

    fn quic(&mut self, sample: &Sample<'_>, memo: &mut Memo, out: &mut Vec<NameEvent>) -> bool {
        let connection = memo.quic.get_or_insert_with(Box::<Connection>::default);
        let read = connection.read(sample.payload, self.limits.stream_bytes);
        let is_open = connection.is_incomplete();
        match read {
            quic::Read::Hello(hello) => {
                self.hello(sample, memo, hello, AppProtocol::Quic, out);
                return false;
            }
            quic::Read::UnknownVersion => {
                memo.quic = None;
                if !self.media(sample, memo, out) {
                    self.stats.quic_unknown_version += 1;
                }
                return false;
            }
            quic::Read::Early => return true,
            quic::Read::Undecryptable => self.stats.quic_undecryptable += 1,
            quic::Read::TooLong => self.stats.streams_too_long += 1,
            quic::Read::Malformed => self.stats.streams_malformed += 1,
            quic::Read::Contradicts => self.stats.streams_contradicted += 1,
            quic::Read::Nothing => {}
        }
        if !is_open && sample.outbound {
            self.speaks(sample, memo, AppProtocol::Quic, out);
        }
        is_open
    }

    fn dtls(&mut self, sample: &Sample<'_>, memo: &mut Memo, out: &mut Vec<NameEvent>) -> bool {
        let fragments = memo.dtls.get_or_insert_with(Box::<Fragments>::default);
        let read = fragments.read(sample.payload, self.limits.stream_bytes);
        let is_open = fragments.held() > 0;
        if !is_open && !fragments.is_spoiled() {
            memo.dtls = None;
        }
        match read {
            dtls::Read::Hello(hello) => {
                self.hello(sample, memo, hello, AppProtocol::Dtls, out);
                return false;
            }
            dtls::Read::Malformed => self.stats.streams_malformed += 1,
            dtls::Read::Contradicts => self.stats.streams_contradicted += 1,
            dtls::Read::Part | dtls::Read::Other => {}
        }
        if !is_open && sample.outbound {
            self.speaks(sample, memo, AppProtocol::Dtls, out);
        }
        is_open
    }

    /// Whether a datagram has the shape of RTP; the second in a row tells.
    fn media(&mut self, sample: &Sample<'_>, memo: &mut Memo, out: &mut Vec<NameEvent>) -> bool {
        let rtp = Rtp::of(sample.payload);
        if !sample.outbound {
            return rtp.is_some();
        }
        let before = std::mem::replace(&mut memo.rtp, rtp);
        if let (Some(rtp), Some(before)) = (rtp, before)
            && rtp.follows(before)
        {
            self.speaks(sample, memo, AppProtocol::Rtp, out);
        }
        rtp.is_some()
    }

    /// It became known what is spoken. A flow that was told to be nameless before is told so again.
    fn speaks(
        &mut self,
        sample: &Sample<'_>,
        memo: &mut Memo,
        protocol: AppProtocol,
        out: &mut Vec<NameEvent>,
    ) {
        if memo.speaks != AppProtocol::Unknown {
            return;
        }
        memo.speaks = protocol;
        if memo.said == Said::NoName {
            self.tell_nameless(sample, protocol, out);
        }
    }
}
