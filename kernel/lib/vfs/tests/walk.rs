//! Paths, over a small tree with every kind of link.

use vfs::walk::{self, Follow, Last, Limits, Link, PathError, Start, Target, World};

/// `/dir/sub/file`, `/file`, and links: `here`, `up`, `far`, `loop`, `gone`, `jump`, `slashed`.
const TREE: &[(&str, &str)] = &[
    ("/", "d"),
    ("/dir", "d"),
    ("/dir/sub", "d"),
    ("/dir/sub/file", "f"),
    ("/file", "f"),
    ("/here", "l dir/sub"),
    ("/dir/up", "l ../file"),
    ("/far", "l /dir/sub/"),
    ("/loop", "l loop"),
    ("/gone", "l dir/new"),
    ("/jump", "j /dir"),
    ("/jumpfile", "j /file"),
];

/// The tree, and a directory in it that the walker may not search.
struct Tree {
    closed: &'static str,
}

/// Everything below `/dir/sub` lies on a mount of its own.
const MOUNT: &str = "/dir/sub";

fn kind(path: &str) -> &'static str {
    TREE.iter().find(|(known, _)| *known == path).unwrap().1
}

impl World for Tree {
    type Node = String;

    fn is_directory(&self, node: &String) -> bool {
        kind(node) == "d"
    }

    fn may_search(&self, directory: &String) -> bool {
        directory != self.closed
    }

    fn child(&self, directory: &String, name: &[u8]) -> Option<String> {
        let name = std::str::from_utf8(name).unwrap();
        let path = format!("{}/{name}", directory.trim_end_matches('/'));
        TREE.iter().any(|(known, _)| *known == path).then_some(path)
    }

    fn parent(&self, node: &String) -> String {
        let parent = node.rsplit_once('/').map_or("/", |(parent, _)| parent);
        String::from(if parent.is_empty() { "/" } else { parent })
    }

    fn link(&self, node: &String) -> Option<Link<String>> {
        match kind(node).split_once(' ')? {
            ("l", to) => Some(Link::Path(to.into())),
            (_, to) => Some(Link::Node(to.into())),
        }
    }

    fn is_same(&self, one: &String, other: &String) -> bool {
        one == other
    }

    fn is_same_mount(&self, one: &String, other: &String) -> bool {
        one.starts_with(MOUNT) == other.starts_with(MOUNT)
    }
}

const OPEN: Tree = Tree { closed: "" };

fn at(path: &str) -> String {
    path.into()
}

fn resolve(root: &String, base: &String, path: &[u8], follow: Follow) -> Result<String, PathError> {
    let limits = Limits::default();
    walk::resolve(&OPEN, Start { root, base, limits }, path, follow)
}

fn target(
    root: &String,
    base: &String,
    path: &[u8],
    follow: Follow,
) -> Result<Target<String>, PathError> {
    let limits = Limits::default();
    walk::target(&OPEN, Start { root, base, limits }, path, follow)
}

fn place(root: &String, base: &String, path: &[u8]) -> Result<walk::Place<String>, PathError> {
    let limits = Limits::default();
    walk::place(&OPEN, Start { root, base, limits }, path)
}

fn from(base: &str, path: &str, follow: Follow) -> Result<String, PathError> {
    resolve(&at("/"), &at(base), path.as_bytes(), follow)
}

fn leads(path: &str, to: &str) {
    assert_eq!(from("/", path, Follow::Yes).as_deref(), Ok(to), "{path}");
}

fn fails(path: &str, error: PathError) {
    assert_eq!(from("/", path, Follow::Yes), Err(error), "{path}");
}

#[test]
fn paths_lead_where_they_say() {
    leads("/", "/");
    leads("//", "/");
    leads("/..", "/");
    leads("dir//sub/./file", "/dir/sub/file");
    leads("dir/sub/../../file", "/file");
    leads("dir/sub/", "/dir/sub");
    assert_eq!(
        from("/dir", "sub/file", Follow::Yes).as_deref(),
        Ok("/dir/sub/file")
    );
    assert_eq!(
        from("/dir/sub", "/file", Follow::Yes).as_deref(),
        Ok("/file")
    );
}

#[test]
fn links_are_followed() {
    leads("here", "/dir/sub");
    leads("here/file", "/dir/sub/file");
    leads("here/..", "/dir");
    leads("dir/up", "/file");
    leads("far/file", "/dir/sub/file");
    leads("jump/sub", "/dir/sub");
    leads("jumpfile", "/file");
    assert_eq!(from("/", "here", Follow::No).as_deref(), Ok("/here"));
    assert_eq!(from("/", "here/", Follow::No).as_deref(), Ok("/dir/sub"));
    assert_eq!(
        from("/", "jumpfile", Follow::No).as_deref(),
        Ok("/jumpfile")
    );
}

#[test]
fn what_is_not_there_is_named() {
    fails("", PathError::NotFound);
    fails("nothing", PathError::NotFound);
    fails("nothing/file", PathError::NotFound);
    fails("gone", PathError::NotFound);
    fails("file/x", PathError::NotDirectory);
    fails("file/", PathError::NotDirectory);
    fails("file/.", PathError::NotDirectory);
    fails("jumpfile/", PathError::NotDirectory);
    fails("jumpfile/x", PathError::NotDirectory);
    fails("loop", PathError::Loop);
    fails("loop/x", PathError::Loop);
    fails(&"x".repeat(256), PathError::TooLong);
    fails(&"x".repeat(255), PathError::NotFound);
    fails(&"/".repeat(4096), PathError::TooLong);
    leads(&"/".repeat(4095), "/");
    // The name's length is looked at only where a name can be.
    fails(
        &format!("file/{}", "x".repeat(256)),
        PathError::NotDirectory,
    );
}

#[test]
fn a_missing_name_has_a_place() {
    let missing = |path: &str, follow| match target(&at("/"), &at("/"), path.as_bytes(), follow) {
        Ok(Target::Missing(place)) => (place.dir, place.last, place.slash),
        other => panic!("{path}: {other:?}"),
    };
    let name = |text: &str| Last::Name(text.into());
    assert_eq!(
        missing("dir/x", Follow::Yes),
        ("/dir".into(), name("x"), false)
    );
    assert_eq!(
        missing("dir/x//", Follow::Yes),
        ("/dir".into(), name("x"), true)
    );
    // A link to nothing is where its target would be.
    assert_eq!(
        missing("gone", Follow::Yes),
        ("/dir".into(), name("new"), false)
    );
    assert_eq!(
        missing("gone/", Follow::No),
        ("/dir".into(), name("new"), true)
    );
}

#[test]
fn the_last_component_is_left_alone() {
    let of = |path: &str| {
        place(&at("/"), &at("/"), path.as_bytes()).map(|place| (place.dir, place.last))
    };
    assert_eq!(of("/"), Ok(("/".into(), Last::Root)));
    assert_eq!(of("dir/."), Ok(("/dir".into(), Last::Dot)));
    assert_eq!(of("dir/.."), Ok(("/dir".into(), Last::DotDot)));
    assert_eq!(of("here"), Ok(("/".into(), Last::Name("here".into()))));
    assert_eq!(
        of("here/x"),
        Ok(("/dir/sub".into(), Last::Name("x".into())))
    );
    assert_eq!(of("file/x"), Err(PathError::NotDirectory));
    assert_eq!(of("no/x"), Err(PathError::NotFound));
}

#[test]
fn closed_directories_hide_what_is_in_them() {
    let closed = Tree { closed: "/dir" };
    let of = |base: &str, path: &str| {
        let (root, base) = (at("/"), at(base));
        let start = Start {
            root: &root,
            base: &base,
            limits: Limits::default(),
        };
        walk::resolve(&closed, start, path.as_bytes(), Follow::Yes)
    };
    assert_eq!(of("/", "dir").as_deref(), Ok("/dir"));
    assert_eq!(of("/", "dir/"), Ok(at("/dir")));
    for path in ["dir/sub", "dir/nothing", "dir/.", "dir/..", "here", "far"] {
        assert_eq!(of("/", path), Err(PathError::Denied), "{path}");
    }
    assert_eq!(of("/dir", ".."), Err(PathError::Denied));
    assert_eq!(of("/dir/sub", "file").as_deref(), Ok("/dir/sub/file"));
    // The name's length comes after the right to look.
    let long = format!("dir/{}", "x".repeat(256));
    assert_eq!(of("/", &long), Err(PathError::Denied));
}

#[test]
fn walks_keep_to_their_limits() {
    let none = Limits::default();
    let of = |limits: Limits, base: &str, path: &str| {
        let (root, base) = (at("/"), at(base));
        let start = Start {
            root: &root,
            base: &base,
            limits,
        };
        walk::resolve(&OPEN, start, path.as_bytes(), Follow::Yes)
    };
    let no_links = Limits {
        no_links: true,
        ..none
    };
    assert_eq!(of(no_links, "/", "here/file"), Err(PathError::Loop));
    assert_eq!(of(no_links, "/", "dir/sub/file"), Ok(at("/dir/sub/file")));
    let no_magic = Limits {
        no_magic_links: true,
        ..none
    };
    assert_eq!(of(no_magic, "/", "jump/sub"), Err(PathError::Loop));
    assert_eq!(of(no_magic, "/", "here/file"), Ok(at("/dir/sub/file")));
    let beneath = Limits {
        beneath: true,
        ..none
    };
    for path in ["/dir", "../file", "sub/../..", "up", "sub/../up"] {
        assert_eq!(of(beneath, "/dir", path), Err(PathError::Escapes), "{path}");
    }
    assert_eq!(of(beneath, "/dir", "sub/.."), Ok(at("/dir")));
    let in_root = Limits {
        in_root: true,
        ..none
    };
    assert_eq!(of(in_root, "/dir", "/sub/file"), Ok(at("/dir/sub/file")));
    assert_eq!(of(in_root, "/dir", "../../sub"), Ok(at("/dir/sub")));
    assert_eq!(of(in_root, "/dir", "up"), Err(PathError::NotFound));
    let one_mount = Limits {
        one_mount: true,
        ..none
    };
    assert_eq!(of(one_mount, "/", "dir/sub"), Err(PathError::Escapes));
    assert_eq!(of(one_mount, "/dir/sub", ".."), Err(PathError::Escapes));
    assert_eq!(of(one_mount, "/dir/sub", "/"), Err(PathError::Escapes));
    assert_eq!(of(one_mount, "/", "dir/up"), Ok(at("/file")));
}
