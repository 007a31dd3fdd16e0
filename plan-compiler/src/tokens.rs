//! A clause's text to tokens: words, numbers, quotations, marks. Each with its bytes.

use std::ops::Range;

/// A token of controlled English.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In small letters, and a node by that name. Words joined by hyphens are several.
    Word(String),
    /// Digits as written (without separators of thousands) and their value in thousandths.
    Number { digits: String, milli: Option<u64> },
    /// What stands in double quotation marks, without them.
    Quoted(String),
    /// Punctuation, one canonical spelling each.
    Mark(&'static str),
    /// A character that the grammar has no use for.
    Other(char),
    /// The end of a list item.
    Break,
}

impl Token {
    /// The spelling that phrases are matched against.
    pub(crate) fn spelling(&self) -> &str {
        match &self.kind {
            Kind::Word(word) => word,
            Kind::Number { digits, .. } => digits,
            Kind::Mark(mark) => mark,
            Kind::Quoted(_) | Kind::Other(_) | Kind::Break => "",
        }
    }

    pub(crate) fn is(&self, mark: &str) -> bool {
        matches!(&self.kind, Kind::Mark(m) if *m == mark)
    }

    /// Whether a clause may end here.
    pub(crate) fn separates(&self) -> bool {
        self.kind == Kind::Break || self.is(",") || self.is(";") || self.is(".")
    }
}

/// Longer spellings first.
const MARKS: &[(&str, &str)] = &[
    ("+/-", "±"),
    ("±", "±"),
    ("->", "->"),
    ("=>", "->"),
    (">=", ">="),
    ("<=", "<="),
    ("==", "="),
    ("..", "-"),
    ("→", "->"),
    ("≥", ">="),
    ("≤", "<="),
    ("–", "-"),
    ("\u{2010}", "-"),
    ("\u{2011}", "-"),
    ("—", ","),
    ("−", "-"),
    ("…", "-"),
    (",", ","),
    (";", ";"),
    (".", "."),
    (":", ":"),
    ("(", "("),
    (")", ")"),
    ("[", "("),
    ("]", ")"),
    ("/", "/"),
    ("+", "+"),
    ("-", "-"),
    (">", ">"),
    ("<", "<"),
    ("=", "="),
    ("%", "%"),
    ("&", "&"),
];

/// The tokens of a field's parts; each part ends in a `Break`.
pub(crate) fn tokens(text: &str, parts: &[Vec<Range<usize>>]) -> Vec<Token> {
    let mut out = Vec::new();
    for part in parts {
        for line in part {
            Lexer {
                text,
                at: line.start,
                end: line.end,
                out: &mut out,
            }
            .run();
        }
        let end = part.last().map_or(0, |line| line.end);
        out.push(Token {
            kind: Kind::Break,
            span: end..end,
        });
    }
    out
}

struct Lexer<'a, 'o> {
    text: &'a str,
    at: usize,
    end: usize,
    out: &'o mut Vec<Token>,
}

impl Lexer<'_, '_> {
    fn rest(&self) -> &str {
        &self.text[self.at..self.end]
    }

    fn run(mut self) {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '*' | '`' | '\'' | '’' | '\u{200b}' | '\u{feff}' => self.at += c.len_utf8(),
                // A figure that is about right is taken as it stands.
                '~' | '≈' => self.at += c.len_utf8(),
                c if c.is_whitespace() => self.at += c.len_utf8(),
                '<' if self.rest().starts_with("<!--") => self.comment(),
                '"' | '“' | '”' => self.quoted(c),
                '×' => self.push(Kind::Word("x".to_owned()), c.len_utf8()),
                c if c.is_ascii_digit() => self.number(),
                c if c.is_alphabetic() || c == '_' => self.word(),
                c => self.mark(c),
            }
        }
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let span = self.at..self.at + length;
        self.at = span.end;
        self.out.push(Token { kind, span });
    }

    fn comment(&mut self) {
        let rest = self.rest();
        self.at += rest.find("-->").map_or(rest.len(), |at| at + 3);
    }

    fn quoted(&mut self, open: char) {
        let inside = &self.rest()[open.len_utf8()..];
        match inside.find(['"', '“', '”']) {
            Some(length) => {
                let close = inside[length..].chars().next().map_or(0, char::len_utf8);
                let said = inside[..length].to_owned();
                self.push(Kind::Quoted(said), open.len_utf8() + length + close);
            }
            None => self.push(Kind::Other(open), open.len_utf8()),
        }
    }

    /// Digits, with thousands separated by commas or underscores, and at most one decimal point.
    fn number(&mut self) {
        let bytes = self.rest().as_bytes();
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let mut length = 0;
        let mut digits = String::new();
        let mut pointed = false;
        while let Some(byte) = bytes.get(length) {
            let thousands = (1..=3).all(|i| digit(length + i)) && !digit(length + 4);
            match byte {
                b'0'..=b'9' => digits.push(char::from(*byte)),
                b',' if !pointed && thousands => {}
                b'_' if digit(length + 1) => {}
                b'.' if !pointed && digit(length + 1) => {
                    pointed = true;
                    digits.push('.');
                }
                _ => break,
            }
            length += 1;
        }
        let (milli, digits, length) = match thousands(&digits, &self.rest()[length..]) {
            Some((milli, digits)) => (Some(milli), digits, length + 1),
            None => (milli(&digits), digits, length),
        };
        self.push(Kind::Number { digits, milli }, length);
    }

    fn word(&mut self) {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let raw = &rest[..end];
        let hyphen = rest[end..].strip_prefix(['-', '‑']);
        let joined = hyphen.is_some_and(|next| next.starts_with(char::is_alphabetic));
        let word = raw.trim_matches('_').to_lowercase();
        let skip = if joined {
            rest[end..].chars().next().map_or(0, char::len_utf8)
        } else {
            0
        };
        if word.is_empty() {
            self.at += end;
        } else {
            self.push(Kind::Word(plain(word)), end);
        }
        self.at += skip;
    }

    fn mark(&mut self, c: char) {
        let found = MARKS
            .iter()
            .find(|(spelling, _)| self.rest().starts_with(spelling));
        match found {
            Some((spelling, mark)) => self.push(Kind::Mark(mark), spelling.len()),
            None => self.push(Kind::Other(c), c.len_utf8()),
        }
    }
}

/// What some call their nodes.
fn plain(word: String) -> String {
    let noun = match word.as_str() {
        "broker" | "scheduler" | "instance" | "datanode" => "node",
        "brokers" | "schedulers" | "instances" | "datanodes" => "nodes",
        _ => return word,
    };
    noun.to_owned()
}

/// `3k`: as many thousands, in thousandths and in digits, where that is what follows.
fn thousands(digits: &str, rest: &str) -> Option<(u64, String)> {
    let rest = rest.strip_prefix(['k', 'K'])?;
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let whole = milli(digits).filter(|_| ends)?;
    Some((whole.checked_mul(1000)?, whole.to_string()))
}

/// A decimal in thousandths; `None` when it is too large or too fine.
fn milli(digits: &str) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 3 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1000)?
        .checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(text: &str) -> Vec<String> {
        let line = vec![vec![0..text.len()]];
        tokens(text, &line)
            .iter()
            .map(|token| token.spelling().to_owned())
            .collect()
    }

    #[test]
    fn splits_words_numbers_and_marks() {
        let all = spellings("kill -9 at T+60s; 0 -> 14,712 **asymmetric-partition** 1.5s 5-8s");
        let expected = "kill|-|9|at|t|+|60|s|;|0|->|14712|asymmetric|partition|1.5|s|5|-|8|s|";
        assert_eq!(all.join("|"), expected);
    }

    #[test]
    fn thousands_may_be_a_letter() {
        assert_eq!(
            spellings("3k seeds, 1.5k ops, 5kB").join("|"),
            "3000|seeds|,|1500|ops|,|5|kb|"
        );
    }

    #[test]
    fn a_comma_in_a_list_is_no_thousand() {
        assert_eq!(spellings("3 nodes, 10,20").join("|"), "3|nodes|,|10|,|20|");
    }
}
