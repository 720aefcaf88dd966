//! A disk in memory for tests. It keeps what was written apart from what was synced, can fail
//! any operation, stops dead after any operation, and at a power loss keeps an arbitrary part of
//! what was not synced. Knows nothing of journals.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::lock::OpenError;
use super::volume::{Handle, Volume};

/// Writes are torn at multiples of this, and at the end of what was written before the end came.
const SECTOR: usize = 64;

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Writes stop in the middle: the volume is full.
    Full,
    /// Anything fails, reading too.
    Broken,
    /// Syncs fail, and what was to be synced may never be.
    Sync,
}

/// The disk; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Simulated(Rc<RefCell<Inner>>);

/// An open file of the disk.
#[derive(Debug)]
pub(super) struct SimulatedFile {
    disk: Simulated,
    inode: usize,
}

#[derive(Debug, Default)]
struct Inner {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    name_changes: Vec<Vec<(PathBuf, Option<usize>)>>,
    /// Operations until the machine stops; none after it has.
    until_end: Option<u32>,
    is_over: bool,
    fault: Option<(Fault, u32)>,
    chance: u64,
}

#[derive(Debug, Default)]
struct Inode {
    content: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                if to.len() < offset + bytes.len() {
                    to.resize(offset + bytes.len(), 0);
                }
                to[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Self::Cut(len) => to.resize(*len, 0),
        }
    }
}

impl Simulated {
    /// The machine stops in the midst of the operation after `operations` others.
    pub(super) fn stop_after(&self, operations: u32, seed: u64) {
        let mut inner = self.0.borrow_mut();
        inner.until_end = Some(operations);
        inner.chance = seed | 1;
    }

    /// The next `operations` of the kind that `fault` concerns fail.
    pub(super) fn fail(&self, fault: Fault, operations: u32) {
        self.0.borrow_mut().fault = Some((fault, operations));
    }

    /// No operation fails any more.
    pub(super) fn mend(&self) {
        self.0.borrow_mut().fault = None;
    }

    /// Whether the machine has stopped.
    pub(super) fn is_over(&self) -> bool {
        self.0.borrow().is_over
    }

    /// The process was killed: everything that was written is there.
    pub(super) fn after_kill(&self) {
        let mut inner = self.0.borrow_mut();
        inner.until_end = None;
        inner.is_over = false;
        inner.fault = None;
    }

    /// The power was lost: of what was not synced, some is there and some is not.
    pub(super) fn after_power_loss(&self, seed: u64) {
        self.after_kill();
        let mut inner = self.0.borrow_mut();
        inner.chance = seed | 1;
        let keep = inner.draw(4);
        for number in 0..inner.inodes.len() {
            let changes = std::mem::take(&mut inner.inodes[number].changes);
            let kept: Vec<_> = changes
                .into_iter()
                .flat_map(|change| inner.survivors(change, keep))
                .collect();
            let inode = &mut inner.inodes[number];
            for change in kept {
                change.apply(&mut inode.durable);
            }
            inode.content.clone_from(&inode.durable);
        }
        for change in std::mem::take(&mut inner.name_changes) {
            if inner.keeps(keep) {
                apply_names(&mut inner.durable_names, change);
            }
        }
        inner.names = inner.durable_names.clone();
    }

    /// The content of a file, for a look from outside.
    pub(super) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let inner = self.0.borrow();
        let inode = *inner.names.get(path)?;
        Some(inner.inodes[inode].content.clone())
    }

    /// Puts a file there, synced.
    pub(super) fn put(&self, path: &Path, content: &[u8]) {
        let mut inner = self.0.borrow_mut();
        let inode = inner.inodes.len();
        inner.inodes.push(Inode {
            content: content.to_vec(),
            durable: content.to_vec(),
            changes: Vec::new(),
        });
        inner.names.insert(path.to_owned(), inode);
        inner.durable_names.insert(path.to_owned(), inode);
    }
}

impl Inner {
    /// A number below `below`, from a generator that needs no quality.
    fn draw(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) % below
    }

    /// Whether something survives: never, seldom, mostly or always.
    fn keeps(&mut self, keep: u64) -> bool {
        self.draw(3) < keep
    }

    /// The parts of an unsynced change that reached the device.
    fn survivors(&mut self, change: Change, keep: u64) -> Vec<Change> {
        match change {
            Change::Cut(_) => self.keeps(keep).then_some(change).into_iter().collect(),
            Change::Write(offset, bytes) => {
                let mut kept = Vec::new();
                let mut at = 0;
                while at < bytes.len() {
                    // Sectors lie at fixed places of the file, wherever a write begins.
                    let end = bytes.len().min(at + SECTOR - (offset + at) % SECTOR);
                    if self.keeps(keep) {
                        kept.push(Change::Write(offset + at, bytes[at..end].to_vec()));
                    }
                    at = end;
                }
                kept
            }
        }
    }

    /// Lets an operation happen, or says why it does not.
    fn begin(&mut self, concerns: &[Fault]) -> io::Result<()> {
        if self.is_over {
            return Err(io::Error::other("the machine has stopped"));
        }
        if let Some(left) = &mut self.until_end {
            if *left == 0 {
                self.is_over = true;
                return Err(io::Error::other("the machine stops"));
            }
            *left -= 1;
        }
        if let Some((fault, left)) = &mut self.fault
            && concerns.contains(fault)
            && *left > 0
        {
            *left -= 1;
            return Err(match fault {
                Fault::Full => io::ErrorKind::StorageFull.into(),
                Fault::Broken | Fault::Sync => io::Error::from_raw_os_error(5),
            });
        }
        Ok(())
    }

    fn change(&mut self, inode: usize, change: Change) {
        change.apply(&mut self.inodes[inode].content);
        self.inodes[inode].changes.push(change);
    }

    fn rename(&mut self, change: Vec<(PathBuf, Option<usize>)>) {
        apply_names(&mut self.names, change.clone());
        self.name_changes.push(change);
    }
}

fn apply_names(names: &mut BTreeMap<PathBuf, usize>, change: Vec<(PathBuf, Option<usize>)>) {
    for (name, inode) in change {
        match inode {
            Some(inode) => names.insert(name, inode),
            None => names.remove(&name),
        };
    }
}

impl Volume for Simulated {
    type File = SimulatedFile;
    type Lock = ();

    fn lock(&self, dir: &Path) -> Result<(), OpenError> {
        let begun = self.0.borrow_mut().begin(&[Fault::Broken]);
        begun.map_err(OpenError::io("lock", dir))
    }

    fn is_in_place(&self, (): &(), _: &Path) -> bool {
        true
    }

    fn open(&self, path: &Path) -> io::Result<SimulatedFile> {
        let mut inner = self.0.borrow_mut();
        inner.begin(&[Fault::Broken])?;
        let inode = if let Some(inode) = inner.names.get(path) {
            *inode
        } else {
            inner.inodes.push(Inode::default());
            let inode = inner.inodes.len() - 1;
            inner.rename(vec![(path.to_owned(), Some(inode))]);
            inode
        };
        Ok(SimulatedFile {
            disk: self.clone(),
            inode,
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.borrow_mut().begin(&[Fault::Broken])?;
        self.content(path)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn exists(&self, path: &Path) -> bool {
        self.content(path).is_some()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.begin(&[Fault::Broken])?;
        let inode = inner.names.get(from).copied();
        let inode = inode.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        inner.rename(vec![(from.to_owned(), None), (to.to_owned(), Some(inode))]);
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.begin(&[Fault::Broken, Fault::Sync])?;
        for change in std::mem::take(&mut inner.name_changes) {
            apply_names(&mut inner.durable_names, change);
        }
        Ok(())
    }
}

impl Handle for SimulatedFile {
    fn is_at(&self, _: &Path) -> bool {
        true
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut inner = self.disk.0.borrow_mut();
        let was_over = inner.is_over;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let begun = inner.begin(&[Fault::Full, Fault::Broken]);
        // Whatever ends a write may end it in the middle.
        let written = if begun.is_ok() {
            bytes.len()
        } else if was_over {
            0
        } else {
            inner.chance |= 1;
            let below = bytes.len() as u64 + 1;
            usize::try_from(inner.draw(below)).unwrap()
        };
        inner.change(self.inode, Change::Write(offset, bytes[..written].to_vec()));
        begun
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut inner = self.disk.0.borrow_mut();
        inner.begin(&[Fault::Broken])?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let content = &inner.inodes[self.inode].content;
        let found = content.get(offset..offset + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut inner = self.disk.0.borrow_mut();
        inner.begin(&[Fault::Broken])?;
        Ok(inner.inodes[self.inode].content.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.disk.0.borrow_mut();
        inner.begin(&[Fault::Broken])?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        inner.change(self.inode, Change::Cut(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.disk.0.borrow_mut();
        let was_over = inner.is_over;
        let begun = inner.begin(&[Fault::Broken, Fault::Sync]);
        let changes = match &begun {
            Ok(()) => std::mem::take(&mut inner.inodes[self.inode].changes),
            Err(_) if was_over || inner.is_over => return begun,
            // After a failure the system takes the pages for clean: what did not get through now
            // never will.
            Err(_) => {
                inner.chance |= 1;
                let changes = std::mem::take(&mut inner.inodes[self.inode].changes);
                let survivors = changes.into_iter().map(|change| inner.survivors(change, 1));
                survivors.collect::<Vec<_>>().concat()
            }
        };
        for change in changes {
            change.apply(&mut inner.inodes[self.inode].durable);
        }
        begun
    }
}
