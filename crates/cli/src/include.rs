//! Files that nft text includes.

use std::path::{Path, PathBuf};

use rulectl_ruleset::nft::Loader;

/// Where nft looks for what is included by a relative path (`DEFAULT_INCLUDE_PATH`).
const INCLUDE_PATH: &str = "/etc";

/// Includes files as nft does: as the path says, or from `/etc`; `*` and `?` in the last part of it stand for names.
pub(crate) struct Files;

impl Loader for Files {
    fn load(&mut self, pattern: &str, _: &str) -> Result<Vec<(String, String)>, String> {
        let here = PathBuf::from(pattern);
        let roots = [here.clone(), Path::new(INCLUDE_PATH).join(&here)];
        let paths = roots.iter().map(|path| expand(path)).find(|paths| !paths.is_empty()).unwrap_or_default();
        if paths.is_empty() && !pattern.contains(['*', '?']) {
            return Err("there is no such file".to_owned());
        }
        let read = |path: PathBuf| match std::fs::read_to_string(&path) {
            Ok(text) => Ok((path.display().to_string(), text)),
            Err(error) => Err(format!("{}: {error}", path.display())),
        };
        paths.into_iter().map(read).collect()
    }

    fn user(&self, name: &str) -> Option<u32> {
        numbered("/etc/passwd", name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        numbered("/etc/group", name)
    }
}

/// The number behind a name in a file of lines `name:password:number:…` (passwd(5), group(5)).
fn numbered(path: &str, name: &str) -> Option<u32> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut fields = text.lines().map(|line| line.split(':'));
    fields.find_map(|mut fields| if fields.next()? == name { fields.nth(1)?.parse().ok() } else { None })
}

/// The files that a path stands for, by name.
fn expand(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let pattern = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (true, Some(folder)) = (pattern.contains(['*', '?']), path.parent()) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.is_file())
        .filter(|path| path.file_name().is_some_and(|name| fits(&pattern, &name.to_string_lossy())))
        .collect();
    files.sort();
    files
}

/// Whether a name fits a pattern of `*` (any text) and `?` (any character). A leading dot must be written.
fn fits(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let name: Vec<char> = name.chars().collect();
    // Which beginnings of the name the pattern read so far fits.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for sign in pattern.chars() {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match sign {
                '*' => reached[at] || (at > 0 && next[at - 1]),
                sign => at > 0 && reached[at - 1] && (sign == '?' || sign == name[at - 1]),
            };
        }
        reached = next;
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names_as_a_shell_reads_them() {
        assert!(fits("*.nft", "a.nft") && fits("a?c*", "abcd") && fits("*", "x"));
        assert!(!fits("*.nft", ".nft") && !fits("a?", "a") && !fits("*.nft", "a.nft~"));
    }
}
