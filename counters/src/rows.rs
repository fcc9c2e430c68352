//! The object's memory in SQLite. Each statement stands where it is used; counts are kept as the JSON that answers have.

use std::cell::Cell;

use crossfade_core::Timestamp;
use crossfade_core::counters::{Rows, Subject, Tally};
use worker::{Error, Result, SqlStorage, SqlStorageValue};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS series (
        id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, release TEXT NOT NULL, variant TEXT NOT NULL, version TEXT NOT NULL,
        total TEXT NOT NULL, touched INTEGER NOT NULL, UNIQUE (revision, release, variant, version));
    CREATE TABLE IF NOT EXISTS bucket (
        at INTEGER NOT NULL, series INTEGER NOT NULL, tally TEXT NOT NULL, PRIMARY KEY (at, series)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS isolate (
        name TEXT PRIMARY KEY, sequence INTEGER NOT NULL, touched INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS failing (
        release TEXT NOT NULL, visitor INTEGER NOT NULL, PRIMARY KEY (release, visitor)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS failed (
        release TEXT PRIMARY KEY, visitors INTEGER NOT NULL, touched INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS shard (name TEXT PRIMARY KEY, touched INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS moment (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;";

/// The rows.
pub(crate) struct Sqlite {
    sql: SqlStorage,
    /// The tables are there. Looked at when they are needed: an object that cannot be made cannot say why.
    ready: Cell<bool>,
}

/// A value bound to a statement.
pub(crate) enum Bound<'a> {
    /// A number below 2^53, which is what JavaScript's hold.
    Number(u64),
    /// A text.
    Text(&'a str),
}

impl From<u64> for Bound<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Bound<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Number(time.as_millis())
    }
}

impl<'a> From<&'a str> for Bound<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl Sqlite {
    pub(crate) const fn new(sql: SqlStorage) -> Self {
        Self { sql, ready: Cell::new(false) }
    }

    /// Runs a statement and hands over its rows.
    pub(crate) fn each(
        &self,
        statement: &str,
        bound: &[Bound<'_>],
        mut row: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        if !self.ready.replace(true) {
            self.sql.exec(TABLES, None)?;
        }
        let mut values = Vec::with_capacity(bound.len());
        for value in bound {
            values.push(match value {
                Bound::Number(number) => {
                    SqlStorageValue::try_from_i64(i64::try_from(*number).unwrap_or(i64::MAX))?
                }
                Bound::Text(text) => SqlStorageValue::String((*text).to_owned()),
            });
        }
        for values in self.sql.exec(statement, values)?.raw() {
            row(&Row(values?))?;
        }
        Ok(())
    }

    /// Runs a statement for what it changes.
    pub(crate) fn run(&self, statement: &str, bound: &[Bound<'_>]) -> Result<()> {
        self.each(statement, bound, |_| Ok(()))
    }

    /// The first column of its first row.
    fn one<T>(
        &self,
        statement: &str,
        bound: &[Bound<'_>],
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.each(statement, bound, |row| {
            found = Some(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// A moment that is kept under a name; 1970 before that.
    pub(crate) fn moment(&self, name: &str) -> Result<Timestamp> {
        let at = self.one("SELECT at FROM moment WHERE name = ?", &[name.into()], |row| row.time(0))?;
        Ok(at.unwrap_or(Timestamp::from_millis(0)))
    }

    /// Keeps it.
    pub(crate) fn set_moment(&self, name: &str, at: Timestamp) -> Result<()> {
        self.run("INSERT OR REPLACE INTO moment VALUES (?, ?)", &[name.into(), at.into()])
    }
}

impl Rows for Sqlite {
    type Error = Error;

    fn sequence(&self, isolate: &str) -> Result<u64> {
        let last =
            self.one("SELECT sequence FROM isolate WHERE name = ?", &[isolate.into()], |row| row.number(0));
        Ok(last?.unwrap_or(0))
    }

    fn set_sequence(&self, isolate: &str, sequence: u64, now: Timestamp) -> Result<()> {
        let bound = [isolate.into(), sequence.into(), now.into()];
        self.run("INSERT OR REPLACE INTO isolate VALUES (?, ?, ?)", &bound)
    }

    fn promised(&self) -> Result<Timestamp> {
        self.moment("promised")
    }

    fn set_promised(&self, until: Timestamp) -> Result<()> {
        self.set_moment("promised", until)
    }

    fn swept(&self) -> Result<Timestamp> {
        self.moment("swept")
    }

    fn sweep(&self, before: Timestamp, now: Timestamp) -> Result<()> {
        self.set_moment("swept", now)?;
        for statement in [
            "DELETE FROM bucket WHERE at < ?",
            "DELETE FROM series WHERE touched < ?",
            "DELETE FROM isolate WHERE touched < ?",
            "DELETE FROM failing WHERE release IN (SELECT release FROM failed WHERE touched < ?)",
            "DELETE FROM failed WHERE touched < ?",
        ] {
            self.run(statement, &[before.into()])?;
        }
        Ok(())
    }

    fn bucket(&self, at: Timestamp, subject: &Subject) -> Result<Tally> {
        let [revision, release, variant, version] = key(subject);
        let statement = "SELECT tally FROM bucket WHERE at = ? AND series = (SELECT id FROM series
            WHERE revision = ? AND release = ? AND variant = ? AND version = ?)";
        let found =
            self.one(statement, &[at.into(), revision, release, variant, version], |row| row.tally(0));
        Ok(found?.unwrap_or_default())
    }

    fn set_bucket(&self, at: Timestamp, subject: &Subject, tally: &Tally) -> Result<()> {
        let [revision, release, variant, version] = key(subject);
        // A bucket's series is there from here on, although its total is written after it.
        let nothing = serde_json::to_string(&Tally::default())?;
        self.run(
            "INSERT OR IGNORE INTO series (revision, release, variant, version, total, touched) VALUES (?, ?, ?, ?, ?, ?)",
            &[revision, release, variant, version, nothing.as_str().into(), at.into()],
        )?;
        let [revision, release, variant, version] = key(subject);
        let tally = serde_json::to_string(tally)?;
        self.run(
            "INSERT OR REPLACE INTO bucket SELECT ?, id, ? FROM series
                WHERE revision = ? AND release = ? AND variant = ? AND version = ?",
            &[at.into(), tally.as_str().into(), revision, release, variant, version],
        )
    }

    fn buckets(
        &self,
        from: Timestamp,
        to: Timestamp,
        each: &mut dyn FnMut(Timestamp, Subject, Tally),
    ) -> Result<()> {
        let statement =
            "SELECT revision, release, variant, version, tally, at FROM bucket JOIN series ON id = series
            WHERE at >= ? AND at < ?";
        self.each(statement, &[from.into(), to.into()], |row| {
            each(row.time(5)?, row.subject()?, row.tally(4)?);
            Ok(())
        })
    }

    fn total(&self, subject: &Subject) -> Result<Tally> {
        let statement =
            "SELECT total FROM series WHERE revision = ? AND release = ? AND variant = ? AND version = ?";
        Ok(self.one(statement, &key(subject), |row| row.tally(0))?.unwrap_or_default())
    }

    fn set_total(&self, subject: &Subject, tally: &Tally, now: Timestamp) -> Result<()> {
        let [revision, release, variant, version] = key(subject);
        let tally = serde_json::to_string(tally)?;
        self.run(
            "UPDATE series SET total = ?, touched = ? WHERE revision = ? AND release = ? AND variant = ? AND version = ?",
            &[tally.as_str().into(), now.into(), revision, release, variant, version],
        )
    }

    fn totals(&self, each: &mut dyn FnMut(Subject, Tally)) -> Result<()> {
        self.each("SELECT revision, release, variant, version, total FROM series", &[], |row| {
            each(row.subject()?, row.tally(4)?);
            Ok(())
        })
    }

    fn remember(&self, release: &str, visitor: u64, most: u64, now: Timestamp) -> Result<bool> {
        let bound = || [release.into(), visitor.into()];
        let known =
            self.one("SELECT 1 FROM failing WHERE release = ? AND visitor = ?", &bound(), |_| Ok(()))?;
        if known.is_some() {
            return Ok(false);
        }
        let visitors =
            self.one("SELECT visitors FROM failed WHERE release = ?", &[release.into()], |row| {
                row.number(0)
            })?;
        let visitors = visitors.unwrap_or(0);
        if visitors < most {
            self.run("INSERT INTO failing VALUES (?, ?)", &bound())?;
            let bound = [release.into(), (visitors + 1).into(), now.into()];
            self.run("INSERT OR REPLACE INTO failed VALUES (?, ?, ?)", &bound)?;
        }
        Ok(true)
    }
}

fn key(subject: &Subject) -> [Bound<'_>; 4] {
    let Subject { revision, release, variant, version } = subject;
    [(*revision).into(), release.as_str().into(), variant.as_str().into(), version.as_str().into()]
}

/// A row that was read.
pub(crate) struct Row(Vec<SqlStorageValue>);

impl Row {
    fn number(&self, column: usize) -> Result<u64> {
        match self.0.get(column) {
            Some(SqlStorageValue::Integer(number)) => Ok(u64::try_from(*number).unwrap_or(0)),
            // JavaScript has one kind of number.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, and below 2^53"
            )]
            Some(SqlStorageValue::Float(number)) => Ok(*number as u64),
            _ => Err(format!("column {column} is no number").into()),
        }
    }

    fn time(&self, column: usize) -> Result<Timestamp> {
        Ok(Timestamp::from_millis(i64::try_from(self.number(column)?).unwrap_or(i64::MAX)))
    }

    /// A text.
    pub(crate) fn text(&self, column: usize) -> Result<&str> {
        match self.0.get(column) {
            Some(SqlStorageValue::String(text)) => Ok(text),
            _ => Err(format!("column {column} is no text").into()),
        }
    }

    fn tally(&self, column: usize) -> Result<Tally> {
        Ok(serde_json::from_str(self.text(column)?)?)
    }

    fn subject(&self) -> Result<Subject> {
        Ok(Subject {
            revision: self.number(0)?,
            release: self.text(1)?.to_owned(),
            variant: self.text(2)?.to_owned(),
            version: self.text(3)?.to_owned(),
        })
    }
}
