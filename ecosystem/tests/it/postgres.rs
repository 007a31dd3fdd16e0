//! A small server that speaks PostgreSQL's wire protocol, version 3: one table of notes, with
//! transactions, prepared statements and portals.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// Writes a note, over an older one.
pub(crate) const PUT: &str =
    "INSERT INTO notes (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = $2";
/// Reads a note.
pub(crate) const GET: &str = "SELECT body FROM notes WHERE id = $1";

const INT8: u32 = 20;
const TEXT: u32 = 25;

type Table = BTreeMap<i64, String>;

/// What this server understands.
#[derive(Clone, Copy, PartialEq)]
enum Statement {
    Nothing,
    Begin,
    Commit,
    Rollback,
    Put,
    Get,
}

impl Statement {
    fn parse(sql: &str) -> Option<Self> {
        let words = sql.trim().trim_end_matches(';').to_ascii_uppercase();
        Some(match words.split(' ').next().unwrap_or_default() {
            "" => Self::Nothing,
            "BEGIN" | "START" => Self::Begin,
            "COMMIT" => Self::Commit,
            "ROLLBACK" => Self::Rollback,
            _ if sql == PUT => Self::Put,
            _ if sql == GET => Self::Get,
            _ => return None,
        })
    }

    const fn parameters(self) -> &'static [u32] {
        match self {
            Self::Put => &[INT8, TEXT],
            Self::Get => &[INT8],
            _ => &[],
        }
    }
}

/// A message that is being written.
struct Out(BytesMut);

impl Out {
    fn message(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut)) {
        let start = self.0.len();
        self.0.put_u8(kind);
        self.0.put_u32(0);
        body(&mut self.0);
        let length = (self.0.len() - start - 1) as u32;
        self.0[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
    }

    fn tag(&mut self, tag: &str) {
        self.message(b'C', |body| put_text(body, tag));
    }

    fn columns(&mut self, statement: Statement) {
        if statement != Statement::Get {
            return self.message(b'n', |_| ());
        }
        self.message(b'T', |body| {
            body.put_u16(1);
            put_text(body, "body");
            body.put_u32(0); // of no table that could be asked for
            body.put_u16(0);
            body.put_u32(TEXT);
            body.put_i16(-1);
            body.put_i32(-1);
            body.put_u16(0);
        });
    }
}

fn put_text(body: &mut BytesMut, text: &str) {
    body.put_slice(text.as_bytes());
    body.put_u8(0);
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn take_text(body: &mut Bytes) -> io::Result<String> {
    let end = body
        .iter()
        .position(|byte| *byte == 0)
        .ok_or_else(invalid)?;
    let text = body.split_to(end);
    body.advance(1);
    String::from_utf8(text.to_vec()).map_err(|_| invalid())
}

/// One connection.
struct Session {
    notes: Arc<Mutex<Table>>,
    /// What the open transaction has written.
    staged: Option<Table>,
    statements: BTreeMap<String, Statement>,
    portals: BTreeMap<String, (Statement, Vec<Bytes>)>,
    /// After an error, until the next `Sync`.
    skips: bool,
    out: Out,
}

/// Serves for as long as the process lives; its notes die with it.
pub(crate) async fn serve() {
    let notes = Arc::default();
    let listener = TcpListener::bind("0.0.0.0:5432")
        .await
        .expect("the port is free");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let session = Session {
            notes: Arc::clone(&notes),
            staged: None,
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            skips: false,
            out: Out(BytesMut::new()),
        };
        tokio::spawn(session.run(BufStream::new(stream)));
    }
}

impl Session {
    async fn run(mut self, mut stream: BufStream<TcpStream>) -> io::Result<()> {
        loop {
            let mut startup = read(&mut stream).await?;
            match startup.get_u32() {
                // TLS, or Kerberos: no.
                80_877_103 | 80_877_104 => stream.write_all(b"N").await?,
                196_608 => break,
                _ => return Err(invalid()),
            }
            stream.flush().await?;
        }
        self.greet();
        loop {
            stream.write_all(&self.out.0).await?;
            self.out.0.clear();
            stream.flush().await?;
            let kind = stream.read_u8().await?;
            let body = read(&mut stream).await?;
            if kind == b'X' {
                return Ok(());
            }
            self.message(kind, body)?;
        }
    }

    fn greet(&mut self) {
        self.out.message(b'R', |body| body.put_u32(0));
        for (name, value) in [("server_version", "17.0"), ("client_encoding", "UTF8")] {
            self.out.message(b'S', |body| {
                put_text(body, name);
                put_text(body, value);
            });
        }
        self.out.message(b'K', |body| body.put_u64(7));
        self.ready();
    }

    fn ready(&mut self) {
        let state = if self.staged.is_some() { b'T' } else { b'I' };
        self.out.message(b'Z', |body| body.put_u8(state));
    }

    fn message(&mut self, kind: u8, mut body: Bytes) -> io::Result<()> {
        if self.skips && kind != b'S' {
            return Ok(());
        }
        match kind {
            b'Q' => {
                let sql = take_text(&mut body)?;
                match Statement::parse(&sql) {
                    Some(statement) => self.execute(statement, &[]),
                    None => self.refuse(&sql),
                }
                self.skips = false;
                self.ready();
            }
            b'P' => {
                let name = take_text(&mut body)?;
                let sql = take_text(&mut body)?;
                match Statement::parse(&sql) {
                    Some(statement) => {
                        self.statements.insert(name, statement);
                        self.out.message(b'1', |_| ());
                    }
                    None => self.refuse(&sql),
                }
            }
            b'D' => self.describe(body)?,
            b'B' => self.bind(body)?,
            b'E' => {
                let name = take_text(&mut body)?;
                match self.portals.get(&name).cloned() {
                    Some((statement, values)) => self.execute(statement, &values),
                    None => self.refuse(&name),
                }
            }
            b'C' => {
                let kind = body.get_u8();
                let name = take_text(&mut body)?;
                match kind {
                    b'S' => drop(self.statements.remove(&name)),
                    _ => drop(self.portals.remove(&name)),
                }
                self.out.message(b'3', |_| ());
            }
            b'S' => {
                self.skips = false;
                self.ready();
            }
            b'H' => {}
            _ => return Err(invalid()),
        }
        Ok(())
    }

    fn describe(&mut self, mut body: Bytes) -> io::Result<()> {
        let kind = body.get_u8();
        let name = take_text(&mut body)?;
        let statement = match kind {
            b'S' => self.statements.get(&name).copied(),
            _ => self.portals.get(&name).map(|portal| portal.0),
        };
        let Some(statement) = statement else {
            self.refuse(&name);
            return Ok(());
        };
        if kind == b'S' {
            let parameters = statement.parameters();
            self.out.message(b't', |body| {
                body.put_u16(parameters.len() as u16);
                parameters.iter().for_each(|oid| body.put_u32(*oid));
            });
        }
        self.out.columns(statement);
        Ok(())
    }

    fn bind(&mut self, mut body: Bytes) -> io::Result<()> {
        let portal = take_text(&mut body)?;
        let name = take_text(&mut body)?;
        let formats = body.get_u16();
        body.advance(2 * usize::from(formats));
        let values = (0..body.get_u16()).map(|_| {
            let length = body.get_u32() as usize;
            body.split_to(length)
        });
        let values: Vec<Bytes> = values.collect();
        match self.statements.get(&name) {
            Some(statement) => {
                self.portals.insert(portal, (*statement, values));
                self.out.message(b'2', |_| ());
            }
            None => self.refuse(&name),
        }
        Ok(())
    }

    /// Values are binary, as both clients send them.
    fn execute(&mut self, statement: Statement, values: &[Bytes]) {
        let mut notes = self.notes.lock().expect("nobody panics");
        match (statement, values) {
            (Statement::Nothing, _) => self.out.message(b'I', |_| ()),
            (Statement::Begin, _) => {
                self.staged.get_or_insert_default();
                self.out.tag("BEGIN");
            }
            (Statement::Commit, _) => {
                notes.extend(self.staged.take().into_iter().flatten());
                self.out.tag("COMMIT");
            }
            (Statement::Rollback, _) => {
                self.staged = None;
                self.out.tag("ROLLBACK");
            }
            (Statement::Put, [id, note]) => {
                let id = id.clone().get_i64();
                let note = String::from_utf8_lossy(note).into_owned();
                self.staged.as_mut().unwrap_or(&mut notes).insert(id, note);
                self.out.tag("INSERT 0 1");
            }
            (Statement::Get, [id]) => {
                let id = id.clone().get_i64();
                let staged = self.staged.as_ref().and_then(|staged| staged.get(&id));
                let note = staged.or_else(|| notes.get(&id));
                if let Some(note) = note {
                    self.out.message(b'D', |body| {
                        body.put_u16(1);
                        body.put_u32(note.len() as u32);
                        body.put_slice(note.as_bytes());
                    });
                }
                self.out
                    .tag(&format!("SELECT {}", u8::from(note.is_some())));
            }
            (Statement::Put | Statement::Get, _) => {
                drop(notes);
                self.refuse("values");
            }
        }
    }

    fn refuse(&mut self, what: &str) {
        self.skips = true;
        self.out.message(b'E', |body| {
            let fields = [
                (b'S', "ERROR"),
                (b'V', "ERROR"),
                (b'C', "42601"),
                (b'M', what),
            ];
            for (field, text) in fields {
                body.put_u8(field);
                put_text(body, text);
            }
            body.put_u8(0);
        });
    }
}

/// What follows a length.
async fn read(stream: &mut BufStream<TcpStream>) -> io::Result<Bytes> {
    let length = stream.read_u32().await?;
    let length = length.checked_sub(4).ok_or_else(invalid)?;
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await?;
    Ok(body.into())
}
