//! Plain lists: one prefix or address a line; comments after `#` or `;`.

use std::collections::HashSet;

use super::SourceError;
use super::draft::{self, Draft, Input, Texts};
use super::lines;
use super::statements::{Listed, Statements};

/// Reads a list of the prefixes of `provider`, of those that carry `service` alone, or of both.
/// It says no day.
///
/// # Errors
/// When too many lines cannot be read.
pub fn read(
    input: Input<'_>,
    provider: Option<&str>,
    service: Option<&str>,
) -> Result<Statements, SourceError> {
    let mut draft = Draft::new(input, &[]);
    let mut texts = Texts::default();
    let provider = provider.map(|name| texts.get(name));
    let service = service.map(|id| texts.get(id));
    let mut seen = HashSet::new();
    lines::each(input, &mut draft, |draft, _, line| {
        let text = line.split([';', '#']).next().unwrap_or_default().trim();
        if text.is_empty() {
            return Ok(());
        }
        let network = draft::prefix(text)?;
        if !seen.insert(network) {
            return Ok(());
        }
        if let Some(provider) = &provider {
            draft.said.listed.push(Listed {
                network,
                provider: provider.clone(),
                region: None,
                service: None,
                place: None,
            });
        }
        if let Some(service) = &service {
            draft.said.services.push((network, service.clone()));
        }
        Ok(())
    })?;
    draft.finish()
}
