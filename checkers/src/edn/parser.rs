//! Reads forms one by one, with their places.

use std::fmt;
use std::io::{self, BufRead};

use crate::jsonl::ReadError;
use crate::value::{DEPTH_MAX, Value};

/// The longest token, bytes.
const TOKEN_MAX: usize = 16 << 20;

/// A form of EDN.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Nil,
    Bool(bool),
    Int(i64),
    /// A number that is no integer of 64 bits, or a symbol: as it is written.
    Odd(String),
    Text(String),
    /// With its colon.
    Keyword(String),
    List(Vec<Form>),
    Set(Vec<Form>),
    Map(Vec<(Form, Form)>),
}

impl Form {
    /// The form as a value of a history.
    pub(super) fn into_value(self) -> Result<Value, String> {
        let all = |forms: Vec<Form>| -> Result<Vec<Value>, String> {
            forms.into_iter().map(Form::into_value).collect()
        };
        Ok(match self {
            Form::Nil => Value::Null,
            Form::Bool(flag) => Value::Bool(flag),
            Form::Int(number) => Value::Int(number),
            Form::Odd(text)
                if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') =>
            {
                return Err(format!(
                    "{text} is no integer of 64 bits, and values have to be equal or not: write \
                     it as a text"
                ));
            }
            Form::Text(text) | Form::Odd(text) => Value::from(text),
            Form::Keyword(name) => {
                // The names of micro-operations and of the sides of a lock are plain.
                let plain = matches!(&*name, ":r" | ":w" | ":append" | ":read" | ":write");
                Value::from(if plain { &name[1..] } else { &*name })
            }
            Form::List(forms) => Value::List(all(forms)?),
            Form::Set(forms) => {
                let mut list = all(forms)?;
                list.sort_unstable();
                Value::List(list)
            }
            Form::Map(pairs) => {
                let pairs = pairs
                    .into_iter()
                    .map(|(key, value)| Form::List(vec![key, value]));
                Value::List(all(pairs.collect())?)
            }
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |f: &mut fmt::Formatter<'_>, open: &str, forms: &[Form], close: &str| {
            f.write_str(open)?;
            for (place, form) in forms.iter().enumerate() {
                let space = if place > 0 { " " } else { "" };
                write!(f, "{space}{form}")?;
            }
            f.write_str(close)
        };
        match self {
            Form::Nil => f.write_str("nil"),
            Form::Bool(flag) => write!(f, "{flag}"),
            Form::Int(number) => write!(f, "{number}"),
            Form::Odd(text) | Form::Text(text) => f.write_str(text),
            Form::Keyword(name) => f.write_str(name.trim_start_matches(':')),
            Form::List(forms) => all(f, "[", forms, "]"),
            Form::Set(forms) => all(f, "#{", forms, "}"),
            Form::Map(pairs) => {
                let forms = pairs
                    .iter()
                    .flat_map(|(key, value)| [key.clone(), value.clone()]);
                all(f, "{", &forms.collect::<Vec<_>>(), "}")
            }
        }
    }
}

/// A collection that is not closed yet.
struct Open {
    closer: u8,
    forms: Vec<Form>,
    /// The next form is to be dropped, or is only a tag's.
    discards: usize,
    is_set: bool,
}

/// What a hash stands for.
enum Hash {
    Set,
    Discard,
    Tag,
}

/// Reads bytes and counts lines.
pub(super) struct Parser<R> {
    input: R,
    line: u64,
    column: u64,
}

impl<R: BufRead> Parser<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: 1,
            column: 1,
        }
    }

    pub(super) fn place(&self) -> (u64, u64) {
        (self.line, self.column)
    }

    pub(super) fn error(&self, message: &str) -> ReadError {
        ReadError {
            line: self.line,
            column: self.column,
            message: message.to_owned(),
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let message = format!("the input can not be read: {error}");
                    return Err(self.error(&message));
                }
            }
        }
    }

    fn skip(&mut self, byte: u8) {
        self.input.consume(1);
        if byte == b'\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
    }

    /// Skips what means nothing; whether that was all.
    pub(super) fn at_end(&mut self) -> Result<bool, ReadError> {
        let mut comment = false;
        while let Some(byte) = self.peek()? {
            let blank = byte.is_ascii_whitespace() || byte == b',';
            if !(comment || blank || byte == b';') {
                return Ok(false);
            }
            comment = byte != b'\n' && (comment || byte == b';');
            self.skip(byte);
        }
        Ok(true)
    }

    /// Takes the opening of a vector or list, if it is next.
    pub(super) fn enter(&mut self) -> Result<bool, ReadError> {
        let next = self.peek()?;
        if let Some(byte @ (b'[' | b'(')) = next {
            self.skip(byte);
            return Ok(true);
        }
        Ok(false)
    }

    /// Takes its end, if it is next.
    pub(super) fn leave(&mut self) -> Result<bool, ReadError> {
        let next = self.peek()?;
        if let Some(byte @ (b']' | b')')) = next {
            self.skip(byte);
            return Ok(true);
        }
        Ok(false)
    }

    /// The next form.
    pub(super) fn form(&mut self) -> Result<Form, ReadError> {
        let mut open: Vec<Open> = Vec::new();
        let mut discards = 0;
        loop {
            if self.at_end()? {
                return Err(self.error("truncated: a form is missing or not closed"));
            }
            let byte = self.peek()?.unwrap_or(b' ');
            let pending = open
                .last_mut()
                .map_or(&mut discards, |open| &mut open.discards);
            let form = match byte {
                b'[' | b'(' | b'{' => {
                    self.skip(byte);
                    self.push(&mut open, byte, false)?;
                    continue;
                }
                b']' | b')' | b'}' => {
                    let Some(last) = open.pop_if(|last| last.closer == byte) else {
                        let message = format!("`{}` closes nothing", byte as char);
                        return Err(self.error(&message));
                    };
                    if last.discards > 0 {
                        return Err(self.error("there is nothing left to discard"));
                    }
                    let form = self.close(last)?;
                    self.skip(byte);
                    form
                }
                b'#' => {
                    self.skip(byte);
                    match self.hash()? {
                        Hash::Set => self.push(&mut open, b'{', true)?,
                        Hash::Discard => *pending += 1,
                        // What it tags is taken as it is.
                        Hash::Tag => {}
                    }
                    continue;
                }
                b'"' => self.text()?,
                b'\\' => {
                    self.skip(byte);
                    let first = self.peek()?.unwrap_or(b' ');
                    self.skip(first);
                    let rest = self.token()?;
                    Form::Text(format!("{}{rest}", first as char))
                }
                _ => self.atom()?,
            };
            let discards = open
                .last_mut()
                .map_or(&mut discards, |open| &mut open.discards);
            if *discards > 0 {
                *discards -= 1;
                continue;
            }
            match open.last_mut() {
                Some(open) => open.forms.push(form),
                None => return Ok(form),
            }
        }
    }

    /// What a hash begins.
    fn hash(&mut self) -> Result<Hash, ReadError> {
        match self.peek()? {
            Some(b'{') => {
                self.skip(b'{');
                Ok(Hash::Set)
            }
            Some(b'_') => {
                self.skip(b'_');
                Ok(Hash::Discard)
            }
            Some(b'#') => {
                let name = self.token()?;
                let message = format!("#{name} is no number: a history has integers of 64 bits");
                Err(self.error(&message))
            }
            _ => self.token().map(|_| Hash::Tag),
        }
    }

    fn push(&self, open: &mut Vec<Open>, opener: u8, is_set: bool) -> Result<(), ReadError> {
        if open.len() == DEPTH_MAX {
            return Err(self.error("a form nests too deep"));
        }
        let closer = match opener {
            b'[' => b']',
            b'(' => b')',
            _ => b'}',
        };
        open.push(Open {
            closer,
            forms: Vec::new(),
            discards: 0,
            is_set,
        });
        Ok(())
    }

    fn close(&self, open: Open) -> Result<Form, ReadError> {
        if open.is_set {
            return Ok(Form::Set(open.forms));
        }
        if open.closer != b'}' {
            return Ok(Form::List(open.forms));
        }
        if open.forms.len() % 2 == 1 {
            return Err(self.error("a map has a key without a value"));
        }
        let mut pairs = Vec::with_capacity(open.forms.len() / 2);
        let mut forms = open.forms.into_iter();
        while let (Some(key), Some(value)) = (forms.next(), forms.next()) {
            pairs.push((key, value));
        }
        Ok(Form::Map(pairs))
    }

    /// What stands until the next blank or bracket.
    fn token(&mut self) -> Result<String, ReadError> {
        let mut token = Vec::new();
        while let Some(byte) = self.peek()? {
            if byte.is_ascii_whitespace() || b",;\"()[]{}".contains(&byte) {
                break;
            }
            if token.len() == TOKEN_MAX {
                return Err(self.error("a name is too long"));
            }
            token.push(byte);
            self.skip(byte);
        }
        String::from_utf8(token).map_err(|_| self.error("not UTF-8"))
    }

    fn atom(&mut self) -> Result<Form, ReadError> {
        let token = self.token()?;
        Ok(match &*token {
            "nil" => Form::Nil,
            "true" => Form::Bool(true),
            "false" => Form::Bool(false),
            _ if token.starts_with(':') => Form::Keyword(token),
            _ => match token.trim_end_matches('N').parse() {
                Ok(number) => Form::Int(number),
                Err(_) => Form::Odd(token),
            },
        })
    }

    fn text(&mut self) -> Result<Form, ReadError> {
        self.skip(b'"');
        let mut text = Vec::new();
        loop {
            let Some(byte) = self.peek()? else {
                return Err(self.error("truncated: a text is not closed"));
            };
            self.skip(byte);
            match byte {
                b'"' => break,
                b'\\' => {
                    let escaped = self.peek()?.unwrap_or(b'"');
                    self.skip(escaped);
                    match escaped {
                        b'n' => text.push(b'\n'),
                        b't' => text.push(b'\t'),
                        b'r' => text.push(b'\r'),
                        b'b' => text.push(8),
                        b'f' => text.push(12),
                        b'u' => {
                            let letter = self.unicode()?;
                            text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                        b'"' | b'\\' | b'/' => text.push(escaped),
                        _ => return Err(self.error("an escape that EDN does not have")),
                    }
                }
                _ if text.len() == TOKEN_MAX => return Err(self.error("a text is too long")),
                _ => text.push(byte),
            }
        }
        let text = String::from_utf8(text).map_err(|_| self.error("not UTF-8"))?;
        Ok(Form::Text(text))
    }

    fn unicode(&mut self) -> Result<char, ReadError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek()?.and_then(|byte| {
                let digit = (byte as char).to_digit(16)?;
                Some((byte, digit))
            });
            let Some((byte, digit)) = digit else {
                return Err(self.error("an escape of four hexadecimal digits"));
            };
            self.skip(byte);
            code = code * 16 + digit;
        }
        char::from_u32(code).ok_or_else(|| self.error("an escape that is no letter"))
    }
}
