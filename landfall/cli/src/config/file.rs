//! The file itself: profiles, their tables, and where in the text each thing stands.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, Item, TableLike, Value};

/// A key that names another profile.
const INHERITS: &str = "inherits";

/// The longest chain of profiles that inherit from each other.
const INHERITED_MAX: usize = 32;

/// Whether a key may stand in a profile, or in the table of a command; else why not.
type IsFlag<'a> = &'a dyn Fn(Option<&str>, &str) -> Result<(), String>;

/// A file that could be read.
pub(super) struct File {
    shown: String,
    document: Document<String>,
}

/// A value of a key, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    place: String,
    values: Result<Vec<String>, bool>,
}

impl Setting {
    /// `path:line:column`.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// What the flag is given, once for each; or whether it stands there at all.
    pub(super) fn values(&self) -> Result<&[String], bool> {
        match &self.values {
            Ok(values) => Ok(values),
            Err(is_given) => Err(*is_given),
        }
    }
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display().to_string();
        let text =
            fs::read_to_string(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let document = Document::parse(text).map_err(|error| format!("{shown}: {error}"))?;
        Ok(Self { shown, document })
    }

    /// Refuses what is no profile, and every key for which `is_flag` gives a reason.
    pub(super) fn check(&self, is_flag: IsFlag<'_>) -> Result<(), String> {
        for (key, item) in self.document.iter() {
            if key != "profile" || !item.is_table_like() {
                let place = self.place(item.span());
                return Err(format!(
                    "{place}: `{key}` is unknown; the file has tables such as [profile.default]"
                ));
            }
        }
        for (name, item) in self.profiles() {
            let Some(table) = item.as_table_like() else {
                let place = self.place(item.span());
                return Err(format!("{place}: `profile.{name}` is no table"));
            };
            self.check_table(table, is_flag)?;
            if let Some(inherited) = self.inherited(table)? {
                self.known(inherited, "inherited")?;
            }
        }
        Ok(())
    }

    fn check_table(&self, table: &dyn TableLike, is_flag: IsFlag<'_>) -> Result<(), String> {
        for (key, item) in table.iter().filter(|(key, _)| *key != INHERITS) {
            let at = |why| format!("{}: {why}", self.place(item.span()));
            let Some(of) = item.as_table_like() else {
                is_flag(None, key).map_err(at)?;
                continue;
            };
            if !super::COMMANDS.contains(&key) {
                let known = super::COMMANDS.join(", ");
                return Err(at(format!("`{key}` is no command; there are {known}")));
            }
            for (flag, item) in of.iter() {
                is_flag(Some(key), flag)
                    .map_err(|why| format!("{}: {why}", self.place(item.span())))?;
            }
        }
        Ok(())
    }

    /// What is said of a flag of a command: by the profile or what it inherits, else by the one
    /// that always holds.
    pub(super) fn setting(
        &self,
        profile: Option<&str>,
        always: &str,
        command: &str,
        flag: &str,
    ) -> Result<Option<Setting>, String> {
        let mut next = match profile {
            Some(name) => {
                self.known(name, "asked for")?;
                Some(name)
            }
            None => None,
        };
        for _ in 0..INHERITED_MAX {
            let Some(name) = next else {
                return match self.profile(always) {
                    Some(table) => self.of_profile(table, command, flag),
                    None => Ok(None),
                };
            };
            let Some(table) = self.profile(name) else {
                return Ok(None);
            };
            if let Some(setting) = self.of_profile(table, command, flag)? {
                return Ok(Some(setting));
            }
            next = self.inherited(table)?.filter(|_| name != always);
        }
        let shown = &self.shown;
        Err(format!(
            "{shown}: profiles inherit from each other without end"
        ))
    }

    fn of_profile(
        &self,
        table: &dyn TableLike,
        command: &str,
        flag: &str,
    ) -> Result<Option<Setting>, String> {
        let own = table.get(command).and_then(Item::as_table_like);
        let item = own
            .and_then(|own| own.get(flag))
            .or_else(|| table.get(flag));
        item.map(|item| self.value(flag, item)).transpose()
    }

    fn value(&self, flag: &str, item: &Item) -> Result<Setting, String> {
        let place = self.place(item.span());
        let one = |value: &Value| match value {
            Value::String(text) => Some(text.value().clone()),
            Value::Integer(number) => Some(number.value().to_string()),
            _ => None,
        };
        let values = match item.as_value() {
            Some(Value::Boolean(is_given)) => Some(Err(*is_given.value())),
            Some(Value::Array(all)) => all.iter().map(one).collect::<Option<Vec<_>>>().map(Ok),
            Some(value) => one(value).map(|value| Ok(vec![value])),
            None => None,
        };
        let wanted = "a text, a whole number, true, false, or a list of texts or numbers";
        let values = values.ok_or_else(|| format!("{place}: `{flag}` takes {wanted}"))?;
        Ok(Setting { place, values })
    }

    fn profiles(&self) -> impl Iterator<Item = (&str, &Item)> {
        let all = self.document.get("profile").and_then(Item::as_table_like);
        all.into_iter().flat_map(|all| all.iter())
    }

    fn profile(&self, name: &str) -> Option<&dyn TableLike> {
        let mut all = self.profiles();
        let (_, item) = all.find(|(known, _)| *known == name)?;
        item.as_table_like()
    }

    fn inherited<'a>(&self, table: &'a dyn TableLike) -> Result<Option<&'a str>, String> {
        let Some(item) = table.get(INHERITS) else {
            return Ok(None);
        };
        let place = self.place(item.span());
        let name = item.as_str().map(Some);
        name.ok_or_else(|| format!("{place}: `{INHERITS}` takes the name of a profile"))
    }

    fn known(&self, name: &str, how: &str) -> Result<(), String> {
        if self.profile(name).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = self.profiles().map(|(name, _)| name).collect();
        let known = match known.is_empty() {
            true => "none".to_owned(),
            false => known.join(", "),
        };
        Err(format!(
            "{}: the profile {name} is {how}, and is not there; there are {known}",
            self.shown
        ))
    }

    /// `path:line:column` of the beginning of a stretch of the text.
    fn place(&self, span: Option<Range<usize>>) -> String {
        let start = span.map_or(0, |span| span.start);
        let before = self.document.raw().get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("{}:{line}:{column}", self.shown)
    }
}
