// SPDX-License-Identifier: GPL-2.0-or-later
// A leak of known size at a known place among what is none, in Rust: see heap_leak.h, of which this is
// the translation. Run by tests/live/heap_leak.t.
//
//   heap_leak_rust [--wait] [--rate BYTES] [--seconds S]
use std::arch::asm;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::unix::io::FromRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
use std::sync::{Barrier, Condvar, Mutex};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(2);
const LEAK_SZ: usize = 200;

extern "C" {
    fn gettid() -> i32;
    fn alarm(seconds: u32) -> u32;
    fn signal(sig: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(code: i32) -> !;
}

static STOP: AtomicBool = AtomicBool::new(false);
static MAY_END: AtomicBool = AtomicBool::new(false);
static LEAK_TID: AtomicI32 = AtomicI32::new(0);
static LEAKED: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_end(_: i32) {
    MAY_END.store(true, Relaxed);
}

fn over() -> bool {
    STOP.load(Relaxed)
}

fn stay() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

struct Random(u32);

impl Random {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(1664525).wrapping_add(1013904223);
        (self.0 >> 8) as usize
    }
}

// The compiler may not know that nobody looks at it.
fn bytes(sz: usize) -> Box<[u8]> {
    let block = vec![1; sz].into_boxed_slice();
    unsafe { asm!("/* {0} */", in(reg) block.as_ptr()) };
    block
}

#[inline(never)]
#[no_mangle]
fn plant_leak() {
    std::mem::forget(bytes(LEAK_SZ));
}

#[inline(never)]
fn noise_startup() -> Vec<Box<[u8]>> {
    (0..3000).map(|_| bytes(700)).collect()
}

#[inline(never)]
fn noise_cache(cache: &mut [Option<Box<[u8]>>], random: &mut Random) {
    let slot = random.next() % cache.len();
    cache[slot] = None;
    cache[slot] = Some(bytes(64 + random.next() % 512));
}

#[inline(never)]
fn noise_pool(pool: &mut Vec<Box<[u8]>>) {
    if pool.len() < 400 {
        pool.push(bytes(2048));
    }
}

#[inline(never)]
fn noise_list(list: &mut Vec<Box<[u8]>>) {
    if list.len() == 600 {
        list.clear();
    } else {
        list.push(bytes(300));
    }
}

#[inline(never)]
fn noise_temporary(random: &mut Random) {
    drop(bytes(1 + random.next() % 5000));
}

#[derive(Default)]
struct Queue {
    items: Mutex<VecDeque<Box<[u8]>>>,
    changed: Condvar,
}

impl Queue {
    #[inline(never)]
    fn noise_queue(&self, random: &mut Random) {
        let item = bytes(100 + random.next() % 100);
        let mut items = self.items.lock().unwrap();
        while items.len() >= 32 {
            items = self.changed.wait(items).unwrap();
        }
        items.push_back(item);
        self.changed.notify_all();
    }

    fn consume(&self) -> Box<[u8]> {
        let mut items = self.items.lock().unwrap();
        while items.is_empty() {
            items = self.changed.wait(items).unwrap();
        }
        self.changed.notify_all();
        items.pop_front().unwrap()
    }
}

fn worker(queue: &Queue) {
    let mut random = Random(7);
    let (mut pool, mut list) = (Vec::with_capacity(400), Vec::with_capacity(600));
    let mut cache: Vec<Option<Box<[u8]>>> = (0..512).map(|_| None).collect();
    let startup = noise_startup();
    while !over() {
        std::thread::sleep(TICK);
        noise_pool(&mut pool);
        noise_list(&mut list);
        for _ in 0..5 {
            noise_cache(&mut cache, &mut random);
            noise_temporary(&mut random);
        }
        queue.noise_queue(&mut random);
    }
    let _held = (pool, list, cache, startup);
    stay();
}

fn leaker(rate: u64) {
    LEAK_TID.store(unsafe { gettid() }, Relaxed);
    let begin = Instant::now();
    while !over() {
        std::thread::sleep(TICK);
        let blocks = begin.elapsed().as_micros() as u64 * rate / 1_000_000 / LEAK_SZ as u64;
        while LEAKED.load(Relaxed) < blocks {
            plant_leak();
            LEAKED.fetch_add(1, Relaxed);
        }
    }
    stay();
}

fn main() {
    let (mut rate, mut seconds) = (100_000_u64, 6.0_f64);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--wait" => {}
            "--rate" => rate = args.next().unwrap().parse().unwrap(),
            "--seconds" => seconds = args.next().unwrap().parse().unwrap(),
            _ => std::process::exit(2),
        }
    }
    unsafe {
        alarm(seconds as u32 + 60);
        signal(10, on_end);
    }
    let begins: &'static Barrier = Box::leak(Box::new(Barrier::new(4)));
    let queue: &'static Queue = Box::leak(Box::default());
    let start = |name: &str, body: Box<dyn Fn() + Send>| {
        let run = move || {
            begins.wait();
            body();
        };
        std::thread::Builder::new().name(name.into()).spawn(run).unwrap();
    };
    start("worker", Box::new(move || worker(queue)));
    start("consumer", Box::new(move || loop {
        drop(queue.consume());
    }));
    start("leaker", Box::new(move || leaker(rate)));
    println!("ready {}", std::process::id());
    let mut stdin = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(0) });
    let _ = stdin.read(&mut [0; 64]);
    begins.wait();
    std::thread::sleep(Duration::from_secs_f64(seconds));
    STOP.store(true, Relaxed);
    std::thread::sleep(Duration::from_millis(50));
    let blocks = LEAKED.load(Relaxed);
    println!(
        "{{\"language\": \"Rust\", \"function\": \"plant_leak\", \"tid\": {}, \"blocks\": {}, \
         \"bytes\": {}, \"rate\": {}, \"noise_bytes\": {}}}\nquiet",
        LEAK_TID.load(Relaxed),
        blocks,
        blocks * LEAK_SZ as u64,
        rate,
        3000 * 700 + 400 * 2048
    );
    std::io::stdout().flush().unwrap();
    while !MAY_END.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
    unsafe { _exit(0) }
}
