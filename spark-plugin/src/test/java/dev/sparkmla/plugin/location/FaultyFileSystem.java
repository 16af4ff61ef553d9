package dev.sparkmla.plugin.location;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CompositeCrcFileChecksum;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileChecksum;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.util.DataChecksum;

/**
 * Local files behind the scheme {@code faulty}, with the faults of a store that its settings ask
 * for. It counts how often files were opened in this process.
 */
public final class FaultyFileSystem extends RawLocalFileSystem {
  /** How many openings fail before one does not. */
  static final String FAILURES = "test.faulty.failures";

  /** How many bytes a listing has too many. */
  static final String LISTED_EXTRA = "test.faulty.listed.extra";

  /** Whether it knows checksums, and wrong ones. */
  static final String WRONG_CHECKSUMS = "test.faulty.wrong.checksums";

  /** Files opened, or tried. */
  static final AtomicInteger OPENED = new AtomicInteger();

  private final AtomicInteger failed = new AtomicInteger();

  /** Settings with which the scheme is known. */
  static Configuration settings() {
    Configuration settings = new Configuration(false);
    settings.set("fs.faulty.impl", FaultyFileSystem.class.getName());
    return settings;
  }

  @Override
  public String getScheme() {
    return "faulty";
  }

  @Override
  public URI getUri() {
    return URI.create("faulty:///");
  }

  @Override
  public FSDataInputStream open(Path file, int buffer) throws IOException {
    OPENED.incrementAndGet();
    if (failed.getAndIncrement() < getConf().getInt(FAILURES, 0)) {
      throw new FileNotFoundException("the store has lost " + file.getName());
    }
    return super.open(file, buffer);
  }

  @Override
  public FileStatus[] listStatus(Path folder) throws IOException {
    FileStatus[] listed = super.listStatus(folder);
    for (int i = 0; i < listed.length; i++) {
      FileStatus file = listed[i];
      listed[i] =
          new FileStatus(
              file.getLen() + getConf().getInt(LISTED_EXTRA, 0),
              file.isDirectory(),
              1,
              1,
              file.getModificationTime(),
              file.getPath());
    }
    return listed;
  }

  @Override
  public FileChecksum getFileChecksum(Path file) {
    if (!getConf().getBoolean(WRONG_CHECKSUMS, false)) {
      return null;
    }
    return new CompositeCrcFileChecksum(1, DataChecksum.Type.CRC32C, 1);
  }
}
