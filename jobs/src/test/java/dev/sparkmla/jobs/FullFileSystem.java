package dev.sparkmla.jobs;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/** The local file system under {@code full:///}, with as much space as a test says. */
public final class FullFileSystem extends RawLocalFileSystem {
  /** Bytes that may be written yet, in this JVM. */
  static final AtomicLong SPACE = new AtomicLong();

  @Override
  public URI getUri() {
    return URI.create("full:///");
  }

  @Override
  public String getScheme() {
    return "full";
  }

  @Override
  public FSDataOutputStream create(
      Path file,
      FsPermission permission,
      boolean overwrite,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    return new FSDataOutputStream(
        new Limited(
            super.create(file, permission, overwrite, buffer, replication, block, progress)),
        null);
  }

  @Override
  public FSDataOutputStream create(
      Path file,
      boolean overwrite,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    return new FSDataOutputStream(
        new Limited(super.create(file, overwrite, buffer, replication, block, progress)), null);
  }

  private static final class Limited extends FilterOutputStream {
    Limited(OutputStream file) {
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
}
