//! What is legal but looks like a mistake: the warnings of a policy.

use octroi_geo_db::catalogue::Catalogue;

use crate::diagnostic::Reporter;
use crate::model::Policy;

pub(crate) fn check(_: &Policy, _: &Catalogue, _: &str, _: &mut Reporter<'_>) {}
