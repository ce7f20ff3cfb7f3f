// SPDX-License-Identifier: GPL-2.0-or-later
// One thread that takes orders as a service does: the text of one is written, checked, parsed into maps
// and strings, summed up, and kept until it is the oldest. Run by tools/bench; the protocol is that of
// bench_pairs.c, a unit is one order.
//
//   bench_rust [--wait] UNITS WARM SECONDS
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead, Read, Write};
use std::time::{Duration, Instant};

const KEPT: usize = 2000;
const ITEMS: u64 = 6;
const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;

#[repr(C)]
struct Timespec {
    sec: i64,
    nsec: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
    fn alarm(seconds: u32) -> u32;
}

fn cpu_ns() -> u64 {
    let mut time = Timespec { sec: 0, nsec: 0 };
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.sec as u64 * 1_000_000_000 + time.nsec as u64
}

struct Item {
    name: String,
    cnt: u64,
    price: u64,
}

struct Order {
    fields: HashMap<String, String>,
    items: Vec<Item>,
    sum: u64,
}

fn write_order(id: u64) -> String {
    let mut text = String::with_capacity(512);
    write!(text, "id={};customer=customer-{};city=town {}", id, id % 977, id % 31).unwrap();
    for nr in 0..ITEMS {
        let kind = (id * 7 + nr * 13) % 400;
        write!(text, ";item=thing number {}:{}:{}", kind, nr + 1, kind * 5 + 99).unwrap();
    }
    text
}

/// FNV-1a, some rounds of it: the share of the work that has nothing to do with memory.
fn check(text: &str) -> u64 {
    let mut sum = 0xcbf29ce484222325u64;
    for _ in 0..48 {
        for byte in text.bytes() {
            sum = (sum ^ u64::from(byte)).wrapping_mul(0x100000001b3);
        }
    }
    sum
}

fn parse(text: &str) -> Option<Order> {
    let mut order = Order { fields: HashMap::new(), items: Vec::new(), sum: 0 };
    for field in text.split(';') {
        let (name, val) = field.split_once('=')?;
        if name != "item" {
            order.fields.insert(name.to_string(), val.to_string());
            continue;
        }
        let mut parts = val.split(':');
        let item = Item {
            name: parts.next()?.to_uppercase(),
            cnt: parts.next()?.parse().ok()?,
            price: parts.next()?.parse().ok()?,
        };
        order.sum += item.cnt * item.price;
        order.items.push(item);
    }
    Some(order)
}

#[derive(Default)]
struct Shop {
    next: u64,
    kept: VecDeque<Box<Order>>,
    sold: HashMap<String, u64>,
    total: u64,
}

impl Shop {
    fn take_one(&mut self) {
        let text = write_order(self.next);
        self.next += 1;
        let sum = check(&text);
        let order = Box::new(parse(&text).expect("an order"));
        for item in &order.items {
            match self.sold.get_mut(&item.name) {
                Some(cnt) => *cnt += item.cnt,
                None => drop(self.sold.insert(item.name.clone(), item.cnt)),
            }
        }
        self.total = self.total.wrapping_add(order.sum ^ (sum & 1));
        self.kept.push_back(order);
        if self.kept.len() > KEPT {
            let old = self.kept.pop_front().expect("one");
            self.total += old.fields.len() as u64;
        }
    }

    fn work(&mut self, time: Duration) -> u64 {
        let (began, first) = (Instant::now(), self.next);
        while began.elapsed() < time {
            for _ in 0..16 {
                self.take_one();
            }
        }
        self.next - first
    }
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().expect("seconds"))
}

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let wait = args.iter().any(|arg| arg == "--wait");
    args.retain(|arg| arg != "--wait");
    if args.len() != 3 {
        eprintln!("usage: bench_rust [--wait] UNITS WARM SECONDS");
        std::process::exit(2);
    }
    let (warm, time) = (seconds(&args[1]), seconds(&args[2]));
    unsafe { alarm(120 + (warm + time).as_secs() as u32) };
    let mut shop = Shop::default();
    for _ in 0..args[0].parse().expect("units") {
        shop.take_one();
    }
    let mut out = std::io::stdout();
    let mut input = std::io::stdin().lock();
    writeln!(out, "ready {}", std::process::id()).unwrap();
    if wait {
        input.read_line(&mut String::new()).unwrap();
    }
    shop.work(warm);
    writeln!(out, "begin").unwrap();
    let (began, cpu) = (Instant::now(), cpu_ns());
    let units = shop.work(time);
    let (cpu, wall) = (cpu_ns() - cpu, began.elapsed().as_nanos());
    let sum = shop.total;
    write!(out, "{{\"units\": {units}, \"cpu_ns\": {cpu}, \"wall_ns\": {wall}, ").unwrap();
    writeln!(out, "\"sum\": {sum}}}").unwrap();
    input.read_to_end(&mut Vec::new()).unwrap();
}
