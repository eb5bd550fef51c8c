//! The folder the changes of one network namespace are kept in.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, State};
use crate::failure::Failure;

/// How many changes are kept.
const ENTRIES: usize = 50;
/// How many bytes they may take together; the last is kept whatever it takes.
const BYTES: u64 = 256 << 20;
/// How many namespaces are remembered: those that were changed last.
const NAMESPACES: usize = 64;
/// How long another `rulectl` that works in the namespace is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(20);
/// Where the number of this run of the machine stands.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The name of the file that says that a change waits to be confirmed.
const TRIAL: &str = "trial";

/// The folder of a namespace, by its number.
fn folder(state: &Path, netns: u64) -> Result<PathBuf, Failure> {
    let boot = fs::read_to_string(BOOT_ID).map_err(failed(Path::new(BOOT_ID)))?;
    Ok(state.join(format!("{}-{netns}", boot.trim())))
}

/// Where it stands that a change of that namespace waits to be confirmed.
pub(crate) fn trial_path(state: &Path, netns: u64) -> Result<PathBuf, Failure> {
    Ok(folder(state, netns)?.join(TRIAL))
}

/// The changes of one network namespace, and the right to make more: nobody else has it as long as this is there.
pub(crate) struct Store {
    folder: PathBuf,
    _lock: File,
}

/// A change that is taken back at some time unless somebody confirms it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// The change.
    pub(crate) number: u64,
    /// When it is taken back, in seconds since 1970.
    pub(crate) until: u64,
    /// The process that does it.
    pub(crate) keeper: u32,
    /// Why it could not be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
}

impl Store {
    /// Opens the folder of the namespace with that number, and makes it if it is not there.
    pub(crate) fn open(state: &Path, netns: u64) -> Result<Self, Failure> {
        let folder = folder(state, netns)?;
        // Rules may tell more than others should know.
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed(&folder))?;
        forget_others(state, &folder);
        let path = folder.join("lock");
        let lock = File::options().create(true).append(true).open(&path).map_err(failed(&path))?;
        let start = Instant::now();
        while let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK && error != rustix::io::Errno::INTR {
                return Err(failed(&path)(error.into()));
            }
            if start.elapsed() > PATIENCE {
                return Err(Failure::Usage(format!(
                    "another rulectl has been changing this network namespace for {} s: it holds `{}`",
                    PATIENCE.as_secs(),
                    path.display()
                )));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(Self { folder, _lock: lock })
    }

    /// The numbers of the changes, first to last.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, Failure> {
        let mut numbers = Vec::new();
        for file in fs::read_dir(&self.folder).map_err(failed(&self.folder))? {
            let name = file.map_err(failed(&self.folder))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// One change; `None` if there is none of that number.
    pub(crate) fn entry(&self, number: u64) -> Result<Option<Entry>, Failure> {
        self.read(&self.path(number))
    }

    /// The last change that is written down.
    pub(crate) fn last(&self) -> Result<Option<Entry>, Failure> {
        self.numbers()?.last().map_or(Ok(None), |number| self.entry(*number))
    }

    /// Writes a change down, in place of what was written of it before.
    pub(crate) fn write(&self, entry: &Entry) -> Result<(), Failure> {
        self.put(&self.path(entry.number), entry)
    }

    /// Forgets a change that was not made.
    pub(crate) fn remove(&self, number: u64) -> Result<(), Failure> {
        remove(&self.path(number))
    }

    /// Makes room once a change is made: what was there after the one before is no use now, and only so many are kept.
    pub(crate) fn tidy(&self) -> Result<(), Failure> {
        let numbers = self.numbers()?;
        let [older @ .., _last] = numbers.as_slice() else { return Ok(()) };
        if let Some(mut before) = older.last().map_or(Ok(None), |number| self.entry(*number))?
            && let State::Applied { after: after @ Some(_), .. } = &mut before.state
        {
            *after = None;
            self.write(&before)?;
        }
        let mut bytes = 0;
        for (age, number) in numbers.iter().rev().enumerate() {
            bytes += fs::metadata(self.path(*number)).map_or(0, |data| data.len());
            if age > 0 && (age >= ENTRIES || bytes > BYTES) {
                self.remove(*number)?;
            }
        }
        Ok(())
    }

    /// The change that waits to be confirmed.
    pub(crate) fn trial(&self) -> Result<Option<Trial>, Failure> {
        self.read(&self.folder.join(TRIAL))
    }

    /// Has a change wait to be confirmed.
    pub(crate) fn try_out(&self, trial: &Trial) -> Result<(), Failure> {
        self.put(&self.folder.join(TRIAL), trial)
    }

    /// Ends the wait.
    pub(crate) fn end_trial(&self) -> Result<(), Failure> {
        remove(&self.folder.join(TRIAL))
    }

    /// The folder of all namespaces.
    pub(crate) fn state_dir(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.json"))
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, path: &Path) -> Result<Option<T>, Failure> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(path)(source)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| failed(path)(error.into()))
    }

    /// Writes a file beside its place and moves it there: it is whole, or as it was.
    fn put(&self, path: &Path, content: &impl Serialize) -> Result<(), Failure> {
        let beside = path.with_extension("new");
        let write = || {
            let mut file = File::create(&beside)?;
            let mut writer = io::BufWriter::with_capacity(64 << 10, &mut file);
            serde_json::to_writer(&mut writer, content)?;
            writer.flush()?;
            drop(writer);
            file.sync_all()?;
            fs::rename(&beside, path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(failed(path))
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

/// Removes the folders of namespaces that were not changed for long: they are most likely gone.
fn forget_others(state: &Path, own: &Path) {
    let Ok(folders) = fs::read_dir(state) else { return };
    let mut folders: Vec<_> = folders
        .filter_map(|folder| {
            let folder = folder.ok()?;
            let data = folder.metadata().ok()?;
            let other = data.is_dir() && folder.path() != own && folder.path().join("lock").exists();
            other.then_some((data.modified().ok()?, folder.path()))
        })
        .collect();
    if folders.len() < NAMESPACES {
        return;
    }
    folders.sort();
    let many = folders.len() + 1 - NAMESPACES;
    // One that cannot be removed is tried again next time.
    folders.into_iter().take(many).for_each(|(_, folder)| drop(fs::remove_dir_all(folder)));
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |source| Failure::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_finished_is_not_there() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::open(state.path(), 7).unwrap();
        fs::write(store.folder.join("1.new"), "{\"numb").unwrap();
        assert!(store.numbers().unwrap().is_empty());
        assert!(store.last().unwrap().is_none());
    }

    #[test]
    fn so_many_namespaces_are_remembered_and_the_oldest_forgotten() {
        let state = tempfile::tempdir().unwrap();
        for netns in 0..2 * NAMESPACES as u64 {
            drop(Store::open(state.path(), netns).unwrap());
        }
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), NAMESPACES);
    }
}
