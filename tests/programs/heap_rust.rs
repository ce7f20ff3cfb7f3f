// SPDX-License-Identifier: GPL-2.0-or-later
// Vectors, boxes, strings and maps by threads, with an allocator around the system's that counts for each
// thread what it was asked for. Run by tests/live/heap.t, which compares it like heap_truth.
//
//   heap_rust [--wait]
//
// The system's allocator takes malloc, calloc, realloc and free, and posix_memalign for alignments above
// 16 or above the size. Threads are made before the recording and stay; who allocates frees.
use std::alloc::{GlobalAlloc, Layout, System};
use std::arch::asm;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::io::FromRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::sync::{Barrier, Condvar, Mutex};
use std::time::Duration;

extern "C" {
    fn gettid() -> i32;
    fn alarm(seconds: u32) -> u32;
    fn signal(sig: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(code: i32) -> !;
}

const THREADS: usize = 6;
const NAMES: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "free"];
const FREE: usize = 4;

#[derive(Default)]
struct Book {
    tid: AtomicI32,
    calls: [AtomicU64; NAMES.len()],
    bytes: [AtomicU64; NAMES.len()],
    allocs: AtomicU64,
    total: AtomicU64,
    frees: AtomicU64,
    freed: AtomicU64,
    peak: AtomicU64,
}

impl Book {
    const fn new() -> Book {
        const ZERO: AtomicU64 = AtomicU64::new(0);
        Book {
            tid: AtomicI32::new(0),
            calls: [ZERO; NAMES.len()],
            bytes: [ZERO; NAMES.len()],
            allocs: ZERO,
            total: ZERO,
            frees: ZERO,
            freed: ZERO,
            peak: ZERO,
        }
    }

    fn got(&self, function: usize, sz: usize) {
        self.calls[function].fetch_add(1, Relaxed);
        self.bytes[function].fetch_add(sz as u64, Relaxed);
        self.allocs.fetch_add(1, Relaxed);
        self.total.fetch_add(sz as u64, Relaxed);
        self.peak.fetch_max(self.current(), Relaxed);
    }

    fn gone(&self, sz: usize) {
        self.frees.fetch_add(1, Relaxed);
        self.freed.fetch_add(sz as u64, Relaxed);
    }

    fn current(&self) -> u64 {
        self.total.load(Relaxed) - self.freed.load(Relaxed)
    }
}

static BOOKS: [Book; THREADS] = {
    const EMPTY: Book = Book::new();
    [EMPTY; THREADS]
};

thread_local! {
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
}

struct Counting;

fn book() -> Option<&'static Book> {
    MINE.with(|mine| mine.get()).map(|idx| &BOOKS[idx])
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let simple = layout.align() <= 16 && layout.align() <= layout.size();
        if let Some(book) = book() {
            book.got(if simple { 0 } else { 3 }, layout.size());
        }
        System.alloc(layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let simple = layout.align() <= 16 && layout.align() <= layout.size();
        if let Some(book) = book() {
            book.got(if simple { 1 } else { 3 }, layout.size());
        }
        System.alloc_zeroed(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(book) = book() {
            book.calls[FREE].fetch_add(1, Relaxed);
            book.gone(layout.size());
        }
        System.dealloc(block, layout)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, sz: usize) -> *mut u8 {
        assert!(layout.align() <= 16 && layout.align() <= sz);
        if let Some(book) = book() {
            book.gone(layout.size());
            book.got(2, sz);
        }
        System.realloc(block, layout, sz)
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// The compiler may not know that nobody looks at it.
fn keep<T>(what: &T) {
    unsafe { asm!("/* {0} */", in(reg) what as *const T) };
}

#[inline(never)]
fn run_vectors() {
    for i in 0..200 {
        let mut vector = Vec::new();
        for j in 0..i * 10 {
            vector.push(j as u64);
        }
        vector.shrink_to_fit();
        keep(&vector);
        if i % 20 == 0 {
            std::mem::forget(vector);
        }
    }
}

#[inline(never)]
fn run_boxes() {
    let mut boxes = Vec::with_capacity(500);
    for i in 0..500_usize {
        boxes.push(Box::new([i; 9]));
        keep(&boxes);
    }
    boxes.truncate(100);
    std::mem::forget(boxes);
}

#[inline(never)]
fn run_strings() {
    let mut all = String::new();
    for i in 0..300 {
        let one = format!("string {} of {}", i, 300);
        all += &one;
        keep(&one);
    }
    std::mem::forget(all.clone());
}

#[inline(never)]
fn run_maps() {
    let (mut map, mut tree) = (HashMap::new(), BTreeMap::new());
    for i in 0..2000_u64 {
        map.insert(i, [i; 3]);
        tree.insert(i * 7919 % 2000, i);
    }
    for i in 0..1500 {
        map.remove(&i);
        tree.remove(&i);
    }
    map.shrink_to_fit();
    keep(&map);
    std::mem::forget(tree);
}

#[inline(never)]
fn run_zeroed() {
    for i in 1..200_usize {
        let zeros = vec![0_u8; i * 100];
        keep(&zeros);
        if i % 10 == 0 {
            std::mem::forget(zeros);
        }
    }
}

#[repr(align(64))]
struct Aligned([u8; 128]);

#[inline(never)]
fn run_aligned() {
    for i in 0..200_u8 {
        let block = Box::new(Aligned([i; 128]));
        keep(&block.0);
        if i % 10 == 0 {
            std::mem::forget(block);
        }
    }
}

static RUNS: [(&str, fn()); THREADS] = [
    ("vectors", run_vectors),
    ("boxes", run_boxes),
    ("strings", run_strings),
    ("maps", run_maps),
    ("zeroed", run_zeroed),
    ("aligned", run_aligned),
];

static MAY_END: AtomicBool = AtomicBool::new(false);
static GO: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

extern "C" fn on_end(_: i32) {
    MAY_END.store(true, Relaxed);
}

fn thread_main(idx: usize, made: &Barrier, done: &Barrier) {
    BOOKS[idx].tid.store(unsafe { gettid() }, Relaxed);
    made.wait();
    let mut go = GO.0.lock().unwrap();
    while !*go {
        go = GO.1.wait(go).unwrap();
    }
    drop(go);
    MINE.with(|mine| mine.set(Some(idx)));
    RUNS[idx].1();
    MINE.with(|mine| mine.set(None));
    done.wait();
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn print_book(name: &str, book: &Book) {
    let calls = (0..NAMES.len())
        .filter(|&i| book.calls[i].load(Relaxed) > 0)
        .map(|i| {
            format!(
                "\"{}\": {{\"calls\": {}, \"failed\": 0, \"bytes\": {}}}",
                NAMES[i],
                book.calls[i].load(Relaxed),
                book.bytes[i].load(Relaxed)
            )
        })
        .collect::<Vec<_>>()
        .join(", ");
    println!(
        "{{\"thread\": \"{}\", \"pid\": {}, \"tid\": {}, \"allocations\": {}, \"total_bytes\": {}, \
         \"deallocations\": {}, \"freed_bytes\": {}, \"current_bytes\": {}, \"peak_bytes\": {}, \
         \"unknown\": 0, \"leaves\": false, \"site\": null, \"lifetime_ns\": 0, \"start_ns\": 0, \
         \"end_ns\": 0, \"functions\": {{{}}}}}",
        name,
        std::process::id(),
        book.tid.load(Relaxed),
        book.allocs.load(Relaxed),
        book.total.load(Relaxed),
        book.frees.load(Relaxed),
        book.freed.load(Relaxed),
        book.current(),
        book.peak.load(Relaxed),
        calls
    );
}

fn main() {
    unsafe {
        alarm(60);
        signal(10, on_end);
    }
    let made: &'static Barrier = Box::leak(Box::new(Barrier::new(THREADS + 1)));
    let done: &'static Barrier = Box::leak(Box::new(Barrier::new(THREADS + 1)));
    for (idx, (name, _)) in RUNS.iter().enumerate() {
        let run = move || thread_main(idx, made, done);
        std::thread::Builder::new().name((*name).into()).spawn(run).unwrap();
    }
    made.wait();
    println!("ready {}", std::process::id());
    let mut stdin = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(0) });
    let _ = stdin.read(&mut [0; 64]);
    *GO.0.lock().unwrap() = true;
    GO.1.notify_all();
    done.wait();
    // "quiet" comes first, without allocating: printing allocates
    let mut stdout = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(1) });
    stdout.write_all(b"quiet\n").unwrap();
    while !MAY_END.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
    for (idx, (name, _)) in RUNS.iter().enumerate() {
        print_book(name, &BOOKS[idx]);
    }
    unsafe { _exit(0) }
}
