//! What the options of a file system in memory mean.

use vfs::options::{BadOption, Size, Tmpfs};

#[test]
fn options_are_read() {
    let options = Tmpfs::parse("size=4m,nr_inodes=2k,mode=1777,uid=7,gid=8").expect("all known");
    assert_eq!(options.size, Some(Size::Bytes(4 << 20)));
    assert_eq!(options.pages(0), Some(1024));
    assert_eq!(options.files, Some(2048));
    assert_eq!(options.mode, Some(0o1777));
    assert_eq!((options.uid, options.gid), (Some(7), Some(8)));
    assert_eq!(Tmpfs::parse(""), Ok(Tmpfs::default()));
    assert_eq!(Tmpfs::default().pages(100), None);
    let half = Tmpfs::parse("size=50%").expect("a part");
    assert_eq!(half.pages(100), Some(50));
    let blocks = Tmpfs::parse("nr_blocks=3").expect("pages");
    assert_eq!(blocks.pages(100), Some(3));
    // A page is the least.
    assert_eq!(Tmpfs::parse("size=1").expect("a byte").pages(100), Some(1));
}

#[test]
fn what_is_unknown_is_refused() {
    for text in [
        "nonsense",
        "size=",
        "size=x",
        "size=1q",
        "mode=9",
        "uid=-1",
        "huge=always",
    ] {
        assert_eq!(Tmpfs::parse(text), Err(BadOption), "{text}");
    }
}
