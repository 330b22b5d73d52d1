//! The closed words of the catalogue as people read them, in English and French.

use super::country::Extent;
use super::law::{Force, LawClass};
use super::operator::OperatorKind;
use super::service::Category;
use super::words::Language;

/// One title for each variant: `word => English, French`.
macro_rules! titles {
    ($($name:ident { $($variant:ident => $en:literal, $fr:literal;)+ })+) => {
        $(impl $name {
            /// The word as people read it, without an article.
            #[must_use]
            pub const fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::En) => $en,
                      (Self::$variant, Language::Fr) => $fr,)+
                }
            }
        })+
    };
}

titles! {
    Category {
        Ai => "artificial intelligence", "intelligence artificielle";
        Cdn => "content delivery", "diffusion de contenus";
        Chat => "instant messaging", "messagerie instantanée";
        Cloud => "cloud infrastructure", "infrastructure en nuage";
        Development => "software development", "développement logiciel";
        Dns => "name resolution", "résolution de noms";
        Identity => "sign-in", "authentification";
        Iot => "connected devices", "objets connectés";
        Mail => "electronic mail", "courrier électronique";
        Media => "videos and broadcasts", "vidéos et diffusion";
        Monitoring => "system monitoring", "supervision";
        Office => "documents and team work", "bureautique et travail collaboratif";
        Os => "operating systems and updates", "systèmes d'exploitation et mises à jour";
        Pki => "certificates", "certificats";
        Remote => "remote control", "prise en main à distance";
        Retail => "shopping", "commerce";
        Saas => "business applications", "applications métier";
        Search => "web search", "moteur de recherche";
        Security => "security products", "produits de sécurité";
        Signature => "electronic signature", "signature électronique";
        Social => "social networks", "réseaux sociaux";
        Storage => "file storage and transfer", "stockage et transfert de fichiers";
        Telecom => "telecommunications", "télécommunications";
        Tracker => "audience measurement and advertising", "mesure d'audience et publicité";
        Video => "video meetings", "visioconférence";
        Vpn => "tunnels", "tunnels";
    }
    OperatorKind {
        Ai => "artificial intelligence", "intelligence artificielle";
        Cdn => "content delivery network", "réseau de diffusion de contenus";
        Cloud => "cloud provider", "fournisseur de cloud";
        Datacentre => "data centre", "centre de données";
        Dns => "name resolution", "résolution de noms";
        Finance => "payments", "paiements";
        Government => "public body", "organisme public";
        Health => "health care", "santé";
        Hosting => "hosting provider", "hébergeur";
        Isp => "access provider", "fournisseur d'accès";
        Registrar => "registrar", "bureau d'enregistrement";
        Research => "research network", "réseau de recherche";
        Saas => "software as a service", "logiciel en ligne";
        Search => "web search", "moteur de recherche";
        Security => "security vendor", "éditeur de sécurité";
        Services => "information-technology services", "services informatiques";
        Storage => "storage provider", "fournisseur de stockage";
        Telecom => "carrier", "opérateur de télécommunications";
        Transit => "transit carrier", "opérateur de transit";
        Vendor => "vendor", "éditeur ou constructeur";
        Vpn => "tunnel provider", "fournisseur de tunnels";
    }
    LawClass {
        Judicial => "orders of a court or magistrate", "injonctions judiciaires";
        Intelligence => "intelligence services", "services de renseignement";
        Administrative => "orders of an administration", "injonctions administratives";
        Availability => "cutting a service off", "coupure de service";
        Localisation => "data must stay in the country", "localisation des données";
        Privacy => "data protection with reach abroad", "protection des données à portée étrangère";
    }
    Force {
        Statute => "in force", "en vigueur";
        Continued => "lapsed, but applied under earlier orders", "caduque, mais appliquée en vertu d'actes antérieurs";
    }
    Extent {
        Full => "all recipients", "tous les destinataires";
        Partial => "some recipients only", "certains destinataires seulement";
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Word;
    use super::*;

    /// Titles of every variant, in both languages.
    fn told<T: Word>(
        title: impl Fn(T, Language) -> &'static str,
    ) -> Vec<(&'static str, &'static str)> {
        let words = T::WORDS.iter();
        words
            .map(|(_, value)| (title(*value, Language::En), title(*value, Language::Fr)))
            .collect()
    }

    #[test]
    fn every_word_has_a_title_of_its_own_in_both_languages() {
        let all = [
            told(Category::title),
            told(OperatorKind::title),
            told(LawClass::title),
            told(Force::title),
            told(Extent::title),
        ];
        for titles in all {
            for language in 0..2 {
                let mut seen: Vec<&str> = titles
                    .iter()
                    .map(|pair| if language == 0 { pair.0 } else { pair.1 })
                    .collect();
                seen.sort_unstable();
                let count = seen.len();
                seen.dedup();
                assert_eq!(seen.len(), count, "{seen:?}");
            }
        }
    }
}
