//! Event streams.

use crate::convert::{native, timeout, unread};
use crate::decode::Decoder;
use crate::error::exception;
use crate::wait::take;
use opencode_core::{Event, StreamEvent};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What happens on the server.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct EventStream {
    stream: opencode_core::EventStream,
    /// Taken, and not given: behind one that could not be made into an object.
    left: Mutex<VecDeque<StreamEvent>>,
    /// Threads that wait. Many events go to one reader only where no other waits for them.
    waiting: AtomicUsize,
}

impl EventStream {
    pub(crate) fn new(stream: opencode_core::EventStream) -> Self {
        let (left, waiting) = (Mutex::default(), AtomicUsize::new(0));
        EventStream { stream, left, waiting }
    }

    fn left(&self) -> MutexGuard<'_, VecDeque<StreamEvent>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there, at most `most`; an error when there is nothing before it.
    fn poll(&self, most: usize) -> opencode_core::Result<VecDeque<StreamEvent>> {
        let left = std::mem::take(&mut *self.left());
        if !left.is_empty() && !self.stream.is_spent() {
            return Ok(left);
        }
        self.stream.poll_many(most).map(VecDeque::from)
    }

    fn objects<'py>(
        &self,
        made: &Bound<'py, PyAny>,
        mut events: VecDeque<StreamEvent>,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(made.py());
        let mut maker = Maker::new(made);
        while let Some(event) = events.pop_front() {
            match maker.convert(&event) {
                Ok(object) => list.append(object)?,
                // Those before it come first.
                Err(_) if !list.is_empty() => {
                    events.push_front(event);
                    break;
                }
                Err(error) => {
                    self.put_back(events);
                    return Err(error);
                }
            }
        }
        self.put_back(events);
        Ok(list)
    }

    /// They come next, before what another thread has put back meanwhile.
    fn put_back(&self, mut events: VecDeque<StreamEvent>) {
        if !events.is_empty() {
            let mut left = self.left();
            events.append(&mut left);
            *left = events;
        }
    }
}

#[pymethods]
impl EventStream {
    /// The events that are there as objects of the class `made`, at most `most`; never blocks.
    fn poll_many<'py>(
        &self,
        py: Python<'py>,
        made: &Bound<'py, PyAny>,
        most: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let most = if self.waiting.load(Ordering::Relaxed) > 0 { 1 } else { most };
        let found = self.poll(most).map_err(|e| exception(py, &e))?;
        self.objects(made, found)
    }

    /// The same, waiting for the first one; an empty list when none came in time.
    fn take_many<'py>(
        &self,
        py: Python<'py>,
        made: &Bound<'py, PyAny>,
        seconds: Option<f64>,
        most: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let limit = timeout(py, seconds)?;
        let _waits = Waits::begin(&self.waiting);
        let ready = |slice| self.is_ready() || self.stream.wait_ready(Some(slice));
        let found = take(py, limit, ready, || {
            let most = if self.waiting.load(Ordering::Relaxed) > 1 { 1 } else { most };
            // Another reader may have been faster.
            self.poll(most).map(|found| (!found.is_empty()).then_some(found)).transpose()
        })?;
        let found = found.transpose().map_err(|e| exception(py, &e))?;
        self.objects(made, found.unwrap_or_default())
    }

    /// Whether `poll` has something; the descriptor is quiet afterwards until something more comes.
    fn is_ready(&self) -> bool {
        !self.left().is_empty() | self.stream.is_ready()
    }

    /// What `Client.take_new` calls it.
    fn mark(&self) -> u64 {
        self.stream.mark()
    }

    #[getter]
    fn is_over(&self) -> bool {
        self.stream.is_over()
    }

    /// Whether what was taken before is not to be given any more either: the stream or its client was closed.
    #[getter]
    fn is_spent(&self) -> bool {
        self.stream.is_spent()
    }

    fn close(&self) {
        self.stream.close();
    }
}

/// A thread that waits, until this is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes events into objects, one after the other.
struct Maker<'a, 'py> {
    made: &'a Bound<'py, PyAny>,
    decoder: Decoder<'py>,
    /// The directory of the last one: the next one has mostly the same.
    directory: Option<(String, Bound<'py, PyString>)>,
}

impl<'a, 'py> Maker<'a, 'py> {
    fn new(made: &'a Bound<'py, PyAny>) -> Self {
        Maker { made, decoder: Decoder::new(made.py()), directory: None }
    }

    fn convert(&mut self, event: &StreamEvent) -> PyResult<Bound<'py, PyAny>> {
        match event {
            StreamEvent::Server(event) => self.object(event),
            other => self.made.call1((native(self.made.py(), &other.to_json())?,)),
        }
    }

    /// An event without a text in between: its fields are known.
    fn object(&mut self, event: &Event) -> PyResult<Bound<'py, PyAny>> {
        let py = self.made.py();
        let object = self.made.call0()?;
        let fields = object.cast::<PyDict>()?;
        fields.set_item(intern!(py, "id"), event.id())?;
        fields.set_item(intern!(py, "type"), self.decoder.key(event.kind()))?;
        if let Some(directory) = event.directory() {
            fields.set_item(intern!(py, "directory"), self.directory(directory))?;
        }
        let properties = self.decoder.decode(event.properties());
        fields.set_item(intern!(py, "properties"), properties.map_err(|why| unread(py, &why))?)?;
        Ok(object)
    }

    fn directory(&mut self, text: &str) -> Bound<'py, PyString> {
        if let Some((known, object)) = &self.directory
            && known == text
        {
            return object.clone();
        }
        let object = PyString::new(self.made.py(), text);
        self.directory = Some((text.to_owned(), object.clone()));
        object
    }
}
