//! Places that are limited for each client or address, so that nobody takes those of others. It
//! counts what is going on now; how often somebody may ask is the rate limiter's matter.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Places that are taken, by whom: nobody takes more than a share.
pub(crate) struct Places {
    share: usize,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

impl Places {
    pub(crate) fn new(share: usize) -> Self {
        Self { share: share.max(1), taken: Arc::default() }
    }

    pub(crate) fn enter(&self, who: &str) -> Option<Place> {
        let mut taken = self.taken.lock().ok()?;
        let places = taken.entry(who.to_owned()).or_default();
        if *places == self.share {
            return None;
        }
        *places += 1;
        Some(Place { taken: Arc::clone(&self.taken), who: who.to_owned() })
    }
}

/// A place; it is given back when this value is dropped.
pub(crate) struct Place {
    taken: Arc<Mutex<HashMap<String, usize>>>,
    who: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(mut taken) = self.taken.lock()
            && let Some(places) = taken.get_mut(&self.who)
        {
            *places -= 1;
            if *places == 0 {
                taken.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_share_and_gives_it_back() {
        let places = Places::new(2);
        let (one, two) = (places.enter("a").unwrap(), places.enter("a").unwrap());
        assert!(places.enter("a").is_none());
        assert!(places.enter("b").is_some());
        drop(one);
        assert!(places.enter("a").is_some());
        drop(two);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
