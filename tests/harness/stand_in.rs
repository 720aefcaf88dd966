//! Libraries that stand in for calls of the system, to be preloaded by an agent: what no test can
//! ask of a real disk or a real clock.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Scene;

/// What all of them begin with. `is_in` says whether a descriptor is one of a folder or of what is
/// in it, `is_asked_for` whether the test has made the file of this name.
const COMMON: &str = r#"#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))
static int is_below(const char *path, const char *folder) {
    return strncmp(path, folder, strlen(folder)) == 0;
}
static int is_in(int fd, const char *folder) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 && is_below(path, folder);
}
static int is_asked_for(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", SCENE, name);
    return access(path, F_OK) == 0;
}
"#;

/// Compiles a library out of C, in which `SCENE`, `LOGS` and `STATE` are the scene's folders.
pub(crate) fn stand_in(scene: &Scene, text: &str) -> PathBuf {
    let source = scene.dir().join("stand_in.c");
    let library = scene.dir().join("stand_in.so");
    fs::write(&source, format!("{COMMON}{text}")).unwrap();
    let define = |name: &str, path: PathBuf| format!("-D{name}=\"{}\"", path.display());
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg(define("SCENE", scene.dir().to_owned()))
        .arg(define("LOGS", scene.dir().join("logs")))
        .arg(define("STATE", scene.dir().join("state")))
        .status()
        .unwrap();
    assert!(compiled.success());
    library
}
