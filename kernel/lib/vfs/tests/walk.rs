//! Paths, over a small tree with every kind of link.

use std::sync::Arc;

use vfs::walk::{Follow, Last, Link, Node, PathError, Target, place, resolve, target};

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

#[derive(PartialEq, Debug)]
struct At(String);

impl At {
    fn kind(&self) -> &'static str {
        TREE.iter().find(|(path, _)| *path == self.0).unwrap().1
    }
}

impl Node for At {
    fn is_directory(&self) -> bool {
        self.kind() == "d"
    }

    fn child(self: &Arc<Self>, name: &[u8]) -> Option<Arc<Self>> {
        let name = std::str::from_utf8(name).unwrap();
        let path = format!("{}/{name}", self.0.trim_end_matches('/'));
        TREE.iter()
            .any(|(known, _)| *known == path)
            .then(|| at(&path))
    }

    fn parent(self: &Arc<Self>) -> Arc<Self> {
        let parent = self.0.rsplit_once('/').map_or("/", |(parent, _)| parent);
        at(if parent.is_empty() { "/" } else { parent })
    }

    fn link(&self) -> Option<Link<Self>> {
        match self.kind().split_once(' ')? {
            ("l", to) => Some(Link::Path(to.into())),
            (_, to) => Some(Link::Node(at(to))),
        }
    }
}

fn at(path: &str) -> Arc<At> {
    Arc::new(At(path.into()))
}

fn from(base: &str, path: &str, follow: Follow) -> Result<String, PathError> {
    resolve(&at("/"), &at(base), path.as_bytes(), follow).map(|node| node.0.to_string())
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
        Ok(Target::Missing(place)) => (place.dir.0.to_string(), place.last, place.slash),
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
        place(&at("/"), &at("/"), path.as_bytes())
            .map(|place| (place.dir.0.to_string(), place.last))
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
