//! The parser: by hand, one pass, with the place of every error.

use super::expression::{Expression, Operator};
use super::field::Field;
use super::literal::{Literal, nearest, prefix};
use super::{FilterError, MAX_FILTER_BYTES};

/// Deepest nesting of parentheses and negations. Evaluation and printing recurse as deep.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(text: &str) -> Result<Option<Expression>, FilterError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    if text.len() > MAX_FILTER_BYTES {
        return Err(FilterError {
            text: text.chars().take(60).collect::<String>() + "...",
            column: 0,
            length: 60,
            message: format!(
                "a filter of {} bytes is over the limit of {MAX_FILTER_BYTES}",
                text.len()
            ),
            remedy: Some("shorten it".to_owned()),
        });
    }
    parser.blanks();
    if parser.rest().is_empty() {
        return Ok(None);
    }
    let expression = parser.any()?;
    match parser.rest().chars().next() {
        None => Ok(Some(expression)),
        Some(')') => {
            let at = parser.at;
            Err(parser.error(
                at,
                at + 1,
                "no \"(\" is open here",
                Some("remove the \")\""),
            ))
        }
        Some(other) => {
            let at = parser.at;
            Err(parser.error(
                at,
                at + other.len_utf8(),
                &format!("\"{other}\" is not expected here"),
                Some("quote texts with special characters: \"...\""),
            ))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// A value or text, and where it stood.
struct Piece {
    text: String,
    quoted: bool,
    start: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn error(&self, start: usize, end: usize, message: &str, remedy: Option<&str>) -> FilterError {
        let characters = |range: &str| range.chars().count();
        FilterError {
            text: self.text.to_owned(),
            column: characters(&self.text[..start]),
            length: characters(&self.text[start..end]),
            message: message.to_owned(),
            remedy: remedy.map(str::to_owned),
        }
    }

    /// Takes a word of the language when it stands here alone.
    fn keyword(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found =
            rest.get(..word.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(word))
                && rest[word.len()..].chars().next().is_none_or(|next| {
                    next.is_whitespace() || matches!(next, '(' | ')' | '!' | '"')
                });
        if found {
            self.at += word.len();
            self.blanks();
        }
        found
    }

    fn any(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.all()?];
        while self.keyword("or") {
            parts.push(self.all()?);
        }
        Ok(single(parts, Expression::Or))
    }

    fn all(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.one()?];
        loop {
            let and = self.keyword("and");
            let start = self.at;
            let ends = self.rest().is_empty() || self.rest().starts_with(')');
            if !and && (ends || self.keyword("or")) {
                self.at = start;
                return Ok(single(parts, Expression::And));
            }
            parts.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(
                self.at,
                self.at,
                "nested too deeply",
                Some("use fewer parentheses"),
            ));
        }
        let expression = self.one_inside();
        self.depth -= 1;
        expression
    }

    fn one_inside(&mut self) -> Result<Expression, FilterError> {
        let start = self.at;
        let rest = self.rest();
        if rest.starts_with('!') && !rest.starts_with("!=") {
            self.at += 1;
            self.blanks();
            return Ok(Expression::Not(Box::new(self.one()?)));
        }
        if self.keyword("not") {
            return Ok(Expression::Not(Box::new(self.one()?)));
        }
        if rest.starts_with('(') {
            self.at += 1;
            self.blanks();
            let inside = self.any()?;
            if !self.rest().starts_with(')') {
                return Err(self.error(
                    start,
                    start + 1,
                    "this \"(\" is never closed",
                    Some("add a \")\""),
                ));
            }
            self.at += 1;
            self.blanks();
            return Ok(inside);
        }
        if rest.is_empty() {
            return Err(self.error(
                start,
                start,
                "something is missing at the end",
                Some("a text, or field:value"),
            ));
        }
        if rest.starts_with(')') || self.keyword("and") || self.keyword("or") {
            self.at = start;
            let end = start + rest.find(char::is_whitespace).unwrap_or(rest.len());
            let end = if rest.starts_with(')') {
                start + 1
            } else {
                end
            };
            return Err(self.error(
                start,
                end,
                "something is missing before this",
                Some("a text, or field:value"),
            ));
        }
        self.term()
    }

    fn term(&mut self) -> Result<Expression, FilterError> {
        // An address of its own may hold colons.
        let run = self.run(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"' | ','));
        if let Some(prefix) = prefix(run) {
            self.at += run.len();
            self.blanks();
            return Ok(Expression::Address(prefix));
        }
        let start = self.at;
        let word = self.run(|c| !(c.is_ascii_alphanumeric() || c == '_'));
        if !word.is_empty() {
            self.at += word.len();
            let end = self.at;
            let field = Field::of(word);
            if field.is_some() {
                self.blanks();
            }
            match (field, self.operator()) {
                (Some(field), Some(operator)) => return self.comparison(field, start, operator),
                (None, Some(_)) => {
                    let remedy = match nearest(word, Field::ALL.iter().map(|f| f.name())) {
                        Some(field) => format!("did you mean \"{field}\"?"),
                        None => format!(
                            "fields: {}",
                            Field::ALL
                                .iter()
                                .map(|f| f.name())
                                .collect::<Vec<_>>()
                                .join(" ")
                        ),
                    };
                    return Err(self.error(
                        start,
                        end,
                        &format!("there is no field \"{word}\""),
                        Some(&remedy),
                    ));
                }
                (_, None) => self.at = start,
            }
        }
        let piece = self.piece()?;
        if piece.text.is_empty() {
            return Err(self.error(
                piece.start,
                self.at,
                "an empty text holds for everything",
                Some("remove it"),
            ));
        }
        self.blanks();
        Ok(Expression::Text(piece.text))
    }

    fn operator(&mut self) -> Option<Operator> {
        let operator = Operator::ALL
            .into_iter()
            .find(|operator| self.rest().starts_with(operator.symbol()))?;
        self.at += operator.symbol().len();
        self.blanks();
        Some(operator)
    }

    fn comparison(
        &mut self,
        field: Field,
        start: usize,
        operator: Operator,
    ) -> Result<Expression, FilterError> {
        let end = self.at;
        if operator.is_order() && !field.kind().is_number() {
            return Err(self.error(
                start,
                end,
                &format!("{} has no order", field.name()),
                Some("use : or ="),
            ));
        }
        if operator == Operator::Contains && field.kind().is_number() {
            return Err(self.error(
                start,
                end,
                &format!("{} is a number", field.name()),
                Some("use : or >"),
            ));
        }
        let mut values = vec![self.value(field, operator)?];
        self.blanks();
        while operator == Operator::Is && self.rest().starts_with(',') {
            self.at += 1;
            self.blanks();
            values.push(self.value(field, operator)?);
            self.blanks();
        }
        Ok(Expression::Compare {
            field,
            operator,
            values,
        })
    }

    fn value(&mut self, field: Field, operator: Operator) -> Result<Literal, FilterError> {
        let piece = self.piece()?;
        let end = self.at;
        if operator == Operator::Contains {
            return Ok(Literal::Text(piece.text));
        }
        let literal =
            Literal::parse(field, &piece.text, piece.quoted).map_err(|(message, remedy)| {
                self.error(piece.start, end, &message, remedy.as_deref())
            })?;
        if operator.is_order() && literal == Literal::Unknown {
            return Err(self.error(
                piece.start,
                end,
                "\"none\" has no order",
                Some("use : or ="),
            ));
        }
        Ok(literal)
    }

    /// The characters from here up to one that ends the run.
    fn run(&self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find(ends).unwrap_or(rest.len())]
    }

    /// A quoted or bare text.
    fn piece(&mut self) -> Result<Piece, FilterError> {
        let start = self.at;
        if self.rest().starts_with('"') {
            return self.quoted(start);
        }
        let run = self.run(|c| {
            c.is_whitespace() || matches!(c, '(' | ')' | '"' | ',' | '<' | '>' | '=' | '~' | '!')
        });
        if run.is_empty() {
            let end = start + self.rest().chars().next().map_or(0, char::len_utf8);
            return Err(self.error(
                start,
                end,
                "a value is missing here",
                Some("quote values with special characters: \"...\""),
            ));
        }
        self.at += run.len();
        Ok(Piece {
            text: run.to_owned(),
            quoted: false,
            start,
        })
    }

    fn quoted(&mut self, start: usize) -> Result<Piece, FilterError> {
        let mut text = String::new();
        let mut escaped = false;
        for (offset, character) in self.rest().char_indices().skip(1) {
            match character {
                _ if escaped => {
                    text.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.at += offset + 1;
                    return Ok(Piece {
                        text,
                        quoted: true,
                        start,
                    });
                }
                _ => text.push(character),
            }
        }
        Err(self.error(
            start,
            start + 1,
            "this quote is never closed",
            Some("add a \""),
        ))
    }
}

fn single(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}
