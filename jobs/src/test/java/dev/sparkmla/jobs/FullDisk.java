package dev.sparkmla.jobs;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.atomic.AtomicLong;

/** A stream to a disk with as much space as a test says. */
final class FullDisk extends FilterOutputStream {
  /** Bytes that may be written yet, in this JVM. */
  static final AtomicLong SPACE = new AtomicLong();

  FullDisk(OutputStream file) {
    super(file);
  }

  @Override
  public void write(int value) throws IOException {
    take(1);
    out.write(value);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    take(length);
    out.write(bytes, offset, length);
  }

  private static void take(int bytes) throws IOException {
    if (SPACE.addAndGet(-bytes) < 0) {
      throw new IOException("No space left on device");
    }
  }
}
