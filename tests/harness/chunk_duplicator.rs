//! [`ChunkDuplicator`]: says every piece of a chunked answer twice, as a stream does that repeats itself.

/// What is known of an answer on its way.
#[derive(Debug, Default)]
pub(crate) struct ChunkDuplicator {
    is_in_body: bool,
    waiting: Vec<u8>,
}

impl ChunkDuplicator {
    /// Takes bytes of the answer and gives what is to be sent for them.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.waiting.extend_from_slice(bytes);
        let mut out = Vec::new();
        if !self.is_in_body {
            let Some(end) = find(&self.waiting, b"\r\n\r\n") else { return out };
            out.extend(self.waiting.drain(..end + 4));
            self.is_in_body = true;
        }
        while let Some(length) = self.chunk() {
            let chunk: Vec<u8> = self.waiting.drain(..length).collect();
            out.extend_from_slice(&chunk);
            // The empty chunk is the end.
            if !chunk.starts_with(b"0") {
                out.extend_from_slice(&chunk);
            }
        }
        out
    }

    /// The length of the first whole chunk, frame included.
    fn chunk(&self) -> Option<usize> {
        let line = find(&self.waiting, b"\r\n")?;
        let size = std::str::from_utf8(&self.waiting[..line]).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let length = line + 2 + size + 2;
        (self.waiting.len() >= length).then_some(length)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_comes_twice_wherever_it_is_cut() {
        let answer = b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n3\r\nabc\r\nb\r\nhello world\r\n0\r\n\r\n";
        let twice: &[u8] = b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n3\r\nabc\r\n3\r\nabc\r\nb\r\nhello world\r\nb\r\nhello world\r\n0\r\n\r\n";
        for cut in 0..answer.len() {
            let mut chunk_duplicator = ChunkDuplicator::default();
            let mut out = chunk_duplicator.feed(&answer[..cut]);
            out.extend(chunk_duplicator.feed(&answer[cut..]));
            assert_eq!(out, twice, "cut at {cut}");
        }
    }
}
