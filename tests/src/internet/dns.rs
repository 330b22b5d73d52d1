//! DNS (RFC 1035) over UDP and TCP for the names of the world; every other name does not exist.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::lab::{LabError, Result, World};

/// Time to live of every record: longer than any test.
const TTL_SECONDS: u32 = 300;
/// Largest query over UDP that is read.
const QUERY_BYTES: usize = 4_096;

/// The zone data of the world.
#[derive(Debug)]
pub(super) struct Records {
    addresses: HashMap<LowerName, Vec<IpAddr>>,
    aliases: HashMap<LowerName, Name>,
}

impl Records {
    pub(super) fn of(world: &World) -> Result<Self> {
        let mut addresses = HashMap::new();
        for (name, list) in world.names() {
            addresses.insert(LowerName::new(&parse(name)?), list);
        }
        let mut aliases = HashMap::new();
        for alias in &world.aliases {
            aliases.insert(LowerName::new(&parse(&alias.name)?), parse(&alias.target)?);
        }
        Ok(Self { addresses, aliases })
    }

    /// The answer to a query, or nothing for what is no query at all.
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).ok()?;
        if query.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        answer.metadata.recursion_desired = query.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.metadata.response_code = match query.queries.first() {
            Some(question) if query.metadata.op_code == OpCode::Query => {
                answer.add_query(question.clone());
                self.resolve(question.name(), question.query_type(), &mut answer)
            }
            Some(_) => ResponseCode::NotImp,
            None => ResponseCode::FormErr,
        };
        answer.to_vec().ok()
    }

    fn resolve(&self, asked: &Name, kind: RecordType, answer: &mut Message) -> ResponseCode {
        let mut name = asked.clone();
        if let Some(target) = self.aliases.get(&LowerName::new(&name)) {
            let alias = RData::CNAME(CNAME(target.clone()));
            answer.add_answer(Record::from_rdata(name, TTL_SECONDS, alias));
            name = target.clone();
        }
        let Some(addresses) = self.addresses.get(&LowerName::new(&name)) else {
            return ResponseCode::NXDomain;
        };
        for address in addresses {
            let data = match (address, kind) {
                (IpAddr::V4(address), RecordType::A | RecordType::ANY) => RData::A(A(*address)),
                (IpAddr::V6(address), RecordType::AAAA | RecordType::ANY) => {
                    RData::AAAA(AAAA(*address))
                }
                _ => continue,
            };
            answer.add_answer(Record::from_rdata(name.clone(), TTL_SECONDS, data));
        }
        ResponseCode::NoError
    }
}

fn parse(name: &str) -> Result<Name> {
    Name::from_utf8(name)
        .map(|mut name| {
            name.set_fqdn(true);
            name
        })
        .map_err(|error| LabError::Data {
            file: "world.toml".to_owned(),
            problem: format!("\"{name}\" is no DNS name: {error}"),
        })
}

pub(super) async fn datagrams(socket: UdpSocket, records: Arc<Records>) {
    let mut buffer = [0; QUERY_BYTES];
    loop {
        // An error here is an ICMP message about an earlier answer.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if let Some(answer) = records.answer(&buffer[..length]) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

pub(super) async fn streams(listener: TcpListener, records: Arc<Records>) {
    while let Ok((stream, _)) = listener.accept().await {
        let records = Arc::clone(&records);
        tokio::spawn(async move {
            // A client that is cut off or goes away ends its own connection only.
            let _ = serve_stream(stream, &records).await;
        });
    }
}

/// Messages with their length before them (RFC 1035 section 4.2.2).
async fn serve_stream(mut stream: TcpStream, records: &Records) -> std::io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await?;
        let Some(answer) = records.answer(&query) else {
            return Ok(());
        };
        let length = u16::try_from(answer.len()).map_err(std::io::Error::other)?;
        stream.write_u16(length).await?;
        stream.write_all(&answer).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;

    fn ask(name: &str, kind: RecordType) -> Message {
        let records = Records::of(&World::embedded().unwrap()).unwrap();
        let mut query = Message::query();
        query.add_query(Query::query(parse(name).unwrap(), kind));
        let id = query.metadata.id;
        let answer = Message::from_vec(&records.answer(&query.to_vec().unwrap()).unwrap()).unwrap();
        assert_eq!(answer.metadata.id, id);
        answer
    }

    #[test]
    fn names_resolve_whatever_their_case() {
        let answer = ask("WWW.ovhcloud.COM", RecordType::A);
        assert_eq!(answer.answers.len(), 1);
        assert_eq!(answer.answers[0].data, RData::A(A::new(51, 210, 0, 1)));
    }

    #[test]
    fn an_alias_comes_with_its_target() {
        let answer = ask("visio.ministere.example", RecordType::A);
        assert_eq!(
            answer
                .answers
                .iter()
                .map(Record::record_type)
                .collect::<Vec<_>>(),
            [RecordType::CNAME, RecordType::A]
        );
    }

    #[test]
    fn a_name_without_that_family_is_empty_and_an_unknown_name_does_not_exist() {
        let answer = ask("www.ovhcloud.com", RecordType::AAAA);
        assert_eq!(
            (answer.metadata.response_code, answer.answers.len()),
            (ResponseCode::NoError, 0)
        );
        let answer = ask("nobody.example", RecordType::A);
        assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
    }

    #[test]
    fn garbage_gets_no_answer() {
        let records = Records::of(&World::embedded().unwrap()).unwrap();
        for bytes in [&b""[..], b"\0", &[0xff; 12], &[0xff; 600]] {
            assert_eq!(records.answer(bytes), None, "{bytes:?}");
        }
    }
}
