//! Hand-built tables, read and damaged.

use acpi::madt::Madt;
use acpi::{Entry, Error, Memory, Processors, Standing, processors};
use proptest::prelude::*;

const RSDP: u64 = 0xf_5ad0;
const RSDT: u64 = 0x7fe_0100;
const XSDT: u64 = 0x7fe_0200;
const FADT: u64 = 0x7fe_0300;
const MADT: u64 = 0x7fe_0400;

/// Islands of memory in nothing.
#[derive(Clone, Default)]
struct Machine {
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Memory for Machine {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let found = self.pieces.iter().find_map(|(start, bytes)| {
            let at = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(at..at.checked_add(into.len())?)
        });
        found.map(|bytes| into.copy_from_slice(bytes)).is_some()
    }
}

impl Machine {
    fn put(mut self, address: u64, bytes: Vec<u8>) -> Self {
        self.pieces.retain(|(start, _)| *start != address);
        self.pieces.push((address, bytes));
        self
    }

    fn at(&mut self, address: u64) -> &mut Vec<u8> {
        let piece = self.pieces.iter_mut().find(|(start, _)| *start == address);
        &mut piece.unwrap().1
    }

    fn read(&self) -> Result<Processors, Error> {
        processors(self, RSDP)
    }
}

fn balance(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    bytes[at] = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
}

fn rsdp(revision: u8, xsdt: u64) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0LODGER".to_vec();
    bytes.push(revision);
    bytes.extend((RSDT as u32).to_le_bytes());
    balance(&mut bytes, 8);
    bytes.extend(36_u32.to_le_bytes());
    bytes.extend(xsdt.to_le_bytes());
    bytes.extend([0; 4]);
    balance(&mut bytes, 32);
    bytes
}

fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    bytes.extend((36 + body.len() as u32).to_le_bytes());
    bytes.extend([1, 0]);
    bytes.extend([b'L'; 26]);
    bytes.extend(body);
    balance(&mut bytes, 9);
    bytes
}

fn rsdt(tables: &[u64]) -> Vec<u8> {
    let body: Vec<u8> = tables
        .iter()
        .flat_map(|table| (*table as u32).to_le_bytes())
        .collect();
    table(b"RSDT", &body)
}

fn xsdt(tables: &[u64]) -> Vec<u8> {
    let body: Vec<u8> = tables
        .iter()
        .flat_map(|table| table.to_le_bytes())
        .collect();
    table(b"XSDT", &body)
}

fn madt(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut body = 0xfee0_0000_u32.to_le_bytes().to_vec();
    body.extend(1_u32.to_le_bytes());
    body.extend(entries.concat());
    table(b"APIC", &body)
}

fn local_apic(uid: u8, id: u8, flags: u32) -> Vec<u8> {
    let mut entry = vec![0, 8, uid, id];
    entry.extend(flags.to_le_bytes());
    entry
}

fn x2apic(uid: u32, id: u32, flags: u32) -> Vec<u8> {
    let mut entry = vec![9, 16, 0, 0];
    for field in [id, flags, uid] {
        entry.extend(field.to_le_bytes());
    }
    entry
}

/// What QEMU builds for four places, of which three are taken: an I/O APIC, overrides and NMIs among them.
fn usual() -> Vec<Vec<u8>> {
    vec![
        local_apic(0, 0, 1),
        local_apic(1, 1, 1),
        local_apic(2, 2, 1),
        local_apic(3, 3, 0),
        vec![1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
        vec![2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
        vec![2, 10, 0, 9, 9, 0, 0, 0, 0xd, 0],
        vec![4, 6, 0xff, 5, 0, 1],
    ]
}

fn machine(entries: &[Vec<u8>]) -> Machine {
    Machine::default()
        .put(RSDP, rsdp(0, 0))
        .put(RSDT, rsdt(&[FADT, MADT]))
        .put(FADT, table(b"FACP", &[7; 100]))
        .put(MADT, madt(entries))
}

fn ids(found: &Processors) -> Vec<u32> {
    found.list.iter().map(|one| one.apic_id).collect()
}

#[test]
fn the_processors_are_listed_in_order_with_their_standing() {
    let found = machine(&usual()).read().unwrap();
    assert_eq!(ids(&found), [0, 1, 2, 3]);
    assert_eq!(found.local_apic, 0xfee0_0000);
    assert_eq!(found.list[2].standing, Standing::Enabled);
    assert_eq!(found.list[3].standing, Standing::Disabled);
    assert_eq!(found.others(1).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_place_that_may_be_filled_later_is_not_started() {
    let found = machine(&[
        local_apic(0, 0, 1),
        local_apic(1, 1, 2),
        local_apic(2, 2, 3),
    ])
    .read()
    .unwrap();
    assert_eq!(found.list[1].standing, Standing::OnlineCapable);
    assert_eq!(found.others(0).collect::<Vec<_>>(), [2]);
}

#[test]
fn the_second_version_leads_through_the_long_list() {
    let mut machine = machine(&usual())
        .put(RSDP, rsdp(2, XSDT))
        .put(XSDT, xsdt(&[FADT, MADT]));
    assert_eq!(ids(&machine.read().unwrap()).len(), 4);
    // Then the short one is not even looked at.
    machine.at(RSDT).fill(0);
    assert_eq!(ids(&machine.read().unwrap()).len(), 4);
}

#[test]
fn a_spoiled_long_list_leaves_the_short_one() {
    let good = machine(&usual())
        .put(RSDP, rsdp(2, XSDT))
        .put(XSDT, xsdt(&[]));
    let mut machine = good.clone();
    machine.at(XSDT)[20] ^= 1;
    assert_eq!(ids(&machine.read().unwrap()).len(), 4);
    let mut machine = good.clone();
    machine.at(RSDP)[33] ^= 1;
    assert_eq!(ids(&machine.read().unwrap()).len(), 4);
    // In order, it counts, and says that there is no MADT.
    assert_eq!(good.read(), Err(Error::NoMadt));
}

#[test]
fn large_numbers_come_in_entries_of_their_own_and_count_once() {
    let entries = [
        local_apic(0, 0, 1),
        x2apic(0, 0, 1),
        x2apic(1, 300, 1),
        local_apic(9, 0xff, 1),
        x2apic(9, u32::MAX, 1),
    ];
    let found = machine(&entries).read().unwrap();
    assert_eq!(ids(&found), [0, 300]);
}

#[test]
fn more_processors_than_fit_are_counted() {
    let entries: Vec<_> = (0..200).map(|id| x2apic(id, 1000 + id, 1)).collect();
    let found = machine(&entries).read().unwrap();
    assert_eq!((found.list.len(), found.left_out), (128, 72));
}

#[test]
fn the_registers_may_lie_elsewhere() {
    let mut moved = vec![5, 12, 0, 0];
    moved.extend(0x1_2345_6000_u64.to_le_bytes());
    let found = machine(&[local_apic(0, 0, 1), moved]).read().unwrap();
    assert_eq!(found.local_apic, 0x1_2345_6000);
}

#[test]
fn overrides_and_nmis_are_understood() {
    let mut entries = usual();
    let mut long_nmi = vec![10, 12, 5, 0];
    long_nmi.extend(u32::MAX.to_le_bytes());
    long_nmi.extend([1, 0, 0, 0]);
    entries.push(long_nmi);
    entries.push(vec![200, 3, 0]);
    let machine = machine(&entries);
    let madt = Madt::read(&machine, MADT).unwrap();
    let read: Vec<Entry> = madt.entries(&machine).map(Result::unwrap).collect();
    let nmi = Entry::LocalNmi {
        uid: None,
        pin: 1,
        flags: 5,
    };
    assert!(madt.has_pics);
    assert_eq!(read[4], Entry::Other(1));
    let line = Entry::LineOverride {
        line: 9,
        global: 9,
        flags: 0xd,
    };
    assert_eq!(read[6], line);
    assert_eq!([read[7], read[8], read[9]], [nmi, nmi, Entry::Other(200)]);
}

#[test]
fn each_kind_of_damage_has_its_name() {
    let spoiled = |address: u64, at: usize, byte: u8| {
        let mut machine = machine(&usual());
        machine.at(address)[at] = byte;
        machine.read().unwrap_err()
    };
    let named = |what: Error| what.to_string();
    assert_eq!(spoiled(RSDP, 0, b'X'), Error::BadRoot);
    assert_eq!(spoiled(RSDP, 9, b'X'), Error::BadRoot);
    assert_eq!(
        named(spoiled(RSDT, 0, b'X')),
        "the RSDT has another signature"
    );
    assert_eq!(
        named(spoiled(MADT, 30, 1)),
        "the checksum of the MADT is wrong"
    );
    assert_eq!(
        named(spoiled(MADT, 7, 0x80)),
        "the length of the MADT cannot be true"
    );
    assert_eq!(spoiled(MADT, 0, b'X'), Error::NoMadt);
    let gone = machine(&usual()).put(RSDT, vec![]).read().unwrap_err();
    assert_eq!(gone, Error::Unreadable(RSDT));
    let beyond = machine(&usual());
    for address in [1, u64::MAX - 3, u64::MAX] {
        assert_eq!(
            processors(&beyond, address),
            Err(Error::Unreadable(address))
        );
    }
}

#[test]
fn entries_of_wrong_length_end_the_walk() {
    for bad in [
        vec![0, 0],
        vec![0, 1],
        vec![0],
        vec![0, 7, 1, 1, 1, 0, 0],
        vec![0, 9, 1, 1, 1, 0, 0, 0],
        vec![9, 8, 0, 0, 1, 0, 0, 0],
        vec![5, 4, 0, 0],
    ] {
        let machine = machine(&[local_apic(0, 0, 1), bad.clone()]);
        assert_eq!(machine.read(), Err(Error::BadEntry(52)), "{bad:?}");
    }
}

/// Bytes of one of the tables are replaced; perhaps its checksum is made right again.
fn damage() -> impl Strategy<Value = (usize, Vec<(usize, u8)>, bool)> {
    let bytes = prop::collection::vec((0..200_usize, any::<u8>()), 1..8);
    (0..5_usize, bytes, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn damaged_tables_give_an_answer_or_an_error((which, bytes, mended) in damage()) {
        let mut machine = machine(&usual()).put(RSDP, rsdp(2, XSDT)).put(XSDT, xsdt(&[FADT, MADT]));
        let piece = &mut machine.pieces[which].1;
        for (at, byte) in bytes {
            let at = at % piece.len();
            piece[at] = byte;
        }
        if mended {
            let is_root = piece.len() == 36 && piece[0] == b'R';
            balance(piece, if is_root { 8 } else { 9 });
        }
        if let Ok(found) = machine.read() {
            prop_assert!(found.list.len() <= 128);
        }
    }

    #[test]
    fn any_entries_at_all_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let machine = machine(&[bytes]);
        if let Ok(found) = machine.read() {
            let mut seen = ids(&found);
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), found.list.len());
        }
    }

    #[test]
    fn any_memory_at_all_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000), at in 0..2100_u64) {
        let _ = processors(&Machine::default().put(0, bytes), at);
    }
}
