//! Asking the daemon why, and telling it that a finding is looked into.

use octroi_api::{Client, ClientError, ClientOptions, ErrorCode, ExplainRequest};
use tokio::sync::mpsc::UnboundedSender;

use crate::adapter;
use crate::message::Message;
use crate::model::reason::Reason;
use crate::model::row::{FlowRow, RowId};

/// Asks for the reason of a flow, on a connection of its own, and sends the answer as a message.
pub(super) async fn ask(options: ClientOptions, flow: FlowRow, answers: UnboundedSender<Message>) {
    let answer = reason(&options, &flow)
        .await
        .map(Box::new)
        .map_err(|error| error.to_string());
    // A closed channel is the end of the dashboard.
    let _ = answers.send(Message::Reason(flow.id, answer));
}

/// Tells the daemon that somebody looks into a finding, and sends what it says as a message.
pub(super) async fn acknowledge(
    options: ClientOptions,
    id: RowId,
    answers: UnboundedSender<Message>,
) {
    let answer = match adapter::row_number(&id) {
        Some(number) => match Client::connect(&options).await {
            Ok(mut client) => client.acknowledge(number).await,
            Err(error) => Err(error),
        },
        None => return,
    };
    let told = answer.unwrap_or_else(|error| format!("not acknowledged: {error}"));
    // A closed channel is the end of the dashboard.
    let _ = answers.send(Message::Acknowledged(told));
}

async fn reason(options: &ClientOptions, flow: &FlowRow) -> Result<Reason, ClientError> {
    let mut client = Client::connect(options).await?;
    if let Some(number) = adapter::row_number(&flow.id) {
        match client.flow(number).await {
            Ok(detail) => return Ok(adapter::flow_reason(&detail)),
            Err(ClientError::Refused(error)) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let explained = client
        .explain(ExplainRequest {
            destination: flow.destination,
            name: flow.name.clone(),
            source: Some(flow.source),
            zone: None,
            protocol: adapter::protocol_number(&flow.protocol),
            port: Some(flow.destination_port),
            naming: None,
            speaks: None,
            ech: None,
        })
        .await?;
    Ok(Reason {
        note: Some("the flow has ended: this is what would be decided now".to_owned()),
        ..adapter::reason(&explained.residency)
    })
}
