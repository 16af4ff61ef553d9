package dev.sparkmla.plugin.location;

import dev.sparkmla.plugin.location.CopyRecord.CopiedFile;
import dev.sparkmla.plugin.location.StoredFiles.StoredFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;

/**
 * Copies the files of a folder, several at once. Each has to have the size that was listed, and to
 * be on the disk as it was read.
 */
final class FileCopies {
  /** An object store gives one stream far less than a host can take. */
  private static final int THREADS = 8;

  /** Beyond what the file system's client tries itself. */
  private static final int ATTEMPTS = 3;

  private static final int BUFFER = 4 << 20;

  private FileCopies() {}

  /**
   * Copies all.
   *
   * @param folder to copy to; what is there of files' names is replaced
   * @return what was written, by name
   * @throws ModelUnavailableException naming the first file that cannot be copied
   */
  static Map<String, CopiedFile> copy(StoredFiles source, Path folder) {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      Map<String, Future<CopiedFile>> copying = new TreeMap<>();
      for (StoredFile file : source.files()) {
        copying.put(file.name(), threads.submit(() -> copyFile(source, file, folder)));
      }
      Map<String, CopiedFile> copied = new TreeMap<>();
      for (Map.Entry<String, Future<CopiedFile>> file : copying.entrySet()) {
        copied.put(file.getKey(), file.getValue().get());
      }
      return copied;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof ModelUnavailableException unavailable) {
        throw unavailable;
      }
      throw new ModelUnavailableException(
          source.uri() + " cannot be copied: " + e.getCause(), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ModelUnavailableException("the copying of " + source.uri() + " was interrupted", e);
    } finally {
      threads.shutdownNow();
      awaitEnd(threads);
    }
  }

  /** So that nobody writes to a folder any more that is deleted next. */
  private static void awaitEnd(ExecutorService threads) {
    boolean interrupted = false;
    boolean ended = false;
    while (!ended) {
      try {
        ended = threads.awaitTermination(1, TimeUnit.MINUTES);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static CopiedFile copyFile(StoredFiles source, StoredFile file, Path folder) {
    List<IOException> failures = new ArrayList<>();
    do {
      try {
        return copyOnce(source, file, folder.resolve(file.name()));
      } catch (IOException e) {
        failures.add(e);
      }
    } while (failures.size() < ATTEMPTS && !Thread.currentThread().isInterrupted());
    IOException last = failures.get(failures.size() - 1);
    throw new ModelUnavailableException(
        file.name()
            + " of "
            + source.uri()
            + " cannot be copied, tried "
            + failures.size()
            + " times: "
            + last.getMessage()
            + "; see that the folder is whole and that nobody writes to it, and start again",
        last);
  }

  private static CopiedFile copyOnce(StoredFiles source, StoredFile file, Path target)
      throws IOException {
    CRC32C read = new CRC32C();
    try (InputStream content = source.read(file);
        FileChannel channel =
            FileChannel.open(
                target,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE)) {
      byte[] buffer = new byte[(int) Math.max(1, Math.min(BUFFER, file.size()))];
      for (int count = content.read(buffer); count >= 0; count = content.read(buffer)) {
        read.update(buffer, 0, count);
        ByteBuffer bytes = ByteBuffer.wrap(buffer, 0, count);
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
      }
      channel.force(true);
    }
    CopiedFile written = CopiedFile.of(target);
    if (written.size() != file.size()) {
      throw new IOException(
          "it was listed with " + file.size() + " bytes and has " + written.size());
    }
    OptionalInt stored = source.crc32c(file);
    int expected = stored.orElse((int) read.getValue());
    if (written.crc32c() != expected) {
      throw new IOException(
          "its CRC-32C is %08x and that of the copy %08x".formatted(expected, written.crc32c()));
    }
    return written;
  }
}
