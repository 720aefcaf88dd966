//! Libraries that stand in for calls of the system, to be preloaded by an agent: what no test can
//! ask of a real disk or a real clock.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Scene;

/// What all of them begin with. `is_in_logs` says whether a descriptor is one of a folder of logs
/// or of a file in it, `is_asked_for` whether the test has made the file of this name.
const COMMON: &str = r#"#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))
static int is_in_logs(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, path, sizeof path - 1);
    return got >= (ssize_t) strlen(LOGS) && strncmp(path, LOGS, strlen(LOGS)) == 0;
}
static int is_asked_for(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", SCENE, name);
    return access(path, F_OK) == 0;
}
"#;

/// Compiles a library out of C, in which `SCENE` and `LOGS` are the scene's folders.
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
        .status()
        .unwrap();
    assert!(compiled.success());
    library
}
