package dev.sparkmla.plugin.location;

import dev.sparkmla.plugin.location.CopyRecord.CopiedFile;
import dev.sparkmla.plugin.location.StoredFiles.StoredFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This host's copies of model folders, each made once by whichever process comes first.
 *
 * <p>A copy's name has a digest of where the folder is and of its files' sizes and times, so a
 * folder that has changed gets another copy. A process locks {@code NAME.lock} before it looks at a
 * copy or makes one; the operating system unlocks it when the process ends. Files are copied to
 * {@code NAME.unfinished}, which becomes {@code NAME} when it is whole. So an unfinished folder
 * that nobody has locked was left by a process that ended, and is deleted.
 */
final class ModelCopies {
  private static final Logger LOGGER = LoggerFactory.getLogger(ModelCopies.class);
  private static final String LOCK = ".lock";
  private static final String UNFINISHED = ".unfinished";

  /** An object store gives one stream far less than a host can take. */
  private static final int THREADS = 8;

  /** Beyond what the file system's client tries itself. */
  private static final int ATTEMPTS = 3;

  private static final int BUFFER = 4 << 20;

  private final Path cache;

  /** Takes the folder that the copies are in; it is made where it is missing. */
  ModelCopies(Path cache) {
    this.cache = cache;
  }

  /**
   * A whole copy of a folder, which is made or made again if it is not there.
   *
   * @throws ModelUnavailableException when the files cannot be read, or not be kept here
   */
  Path copyOf(StoredFiles source) {
    String name = name(source);
    Path copy = cache.resolve(name);
    // Java refuses a second lock on a file within a process.
    synchronized (ModelCopies.class) {
      try {
        Files.createDirectories(cache);
        try (FileChannel channel = openLock(name)) {
          lock(channel, source);
          if (!CopyRecord.holds(copy, source.files())) {
            deleteUnfinished(name);
            delete(copy);
            copy(source, copy);
          }
          return copy;
        }
      } catch (IOException e) {
        throw new ModelUnavailableException(
            source.uri()
                + " cannot be copied to "
                + cache
                + ": "
                + e
                + "; set "
                + ModelLocator.CACHE_SETTING
                + " to a folder with room for it that every executor of this host may write to",
            e);
      }
    }
  }

  private static String name(StoredFiles source) {
    StringBuilder content = new StringBuilder(source.uri());
    for (StoredFile file : source.files()) {
      content.append('\n').append(file);
    }
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest(content.toString().getBytes(StandardCharsets.UTF_8));
      String readable = source.name().replaceAll("[^A-Za-z0-9._-]", "_");
      return readable + "-" + HexFormat.of().formatHex(digest, 0, 8);
    } catch (NoSuchAlgorithmException everyJavaHasIt) {
      throw new IllegalStateException(everyJavaHasIt);
    }
  }

  private FileChannel openLock(String name) throws IOException {
    return FileChannel.open(
        cache.resolve(name + LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
  }

  /** Locks until the channel is closed. */
  private static void lock(FileChannel channel, StoredFiles source) throws IOException {
    FileLock free = channel.tryLock();
    if (free == null) {
      LOGGER.info("Waiting for another process of this host, which copies {}", source.uri());
      channel.lock();
    }
  }

  /** Deletes what processes have left that ended while they copied. */
  private void deleteUnfinished(String locked) throws IOException {
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(cache, "*" + UNFINISHED)) {
      for (Path folder : folders) {
        String file = folder.getFileName().toString();
        String name = file.substring(0, file.length() - UNFINISHED.length());
        if (name.equals(locked)) {
          delete(folder);
        } else {
          deleteAbandoned(folder, name);
        }
      }
    }
  }

  private void deleteAbandoned(Path folder, String name) throws IOException {
    try (FileChannel channel = openLock(name)) {
      if (channel.tryLock() != null) {
        delete(folder);
      }
    }
  }

  private void copy(StoredFiles source, Path copy) throws IOException {
    long free = Files.getFileStore(cache).getUsableSpace();
    if (free < source.bytes()) {
      throw new IOException("it has " + source.bytes() + " bytes, and only " + free + " are free");
    }
    LOGGER.info("Copying {} bytes of {} to {}", source.bytes(), source.uri(), copy);
    long start = System.nanoTime();
    Path unfinished = cache.resolve(copy.getFileName() + UNFINISHED);
    Files.createDirectory(unfinished);
    try {
      new CopyRecord(source.uri(), copyFiles(source, unfinished)).write(unfinished);
      Files.move(unfinished, copy, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException | RuntimeException problem) {
      try {
        delete(unfinished);
      } catch (IOException left) {
        problem.addSuppressed(left);
      }
      throw problem;
    }
    LOGGER.info("Copied {} in {} s", source.uri(), (System.nanoTime() - start) / 1_000_000_000);
  }

  private static Map<String, CopiedFile> copyFiles(StoredFiles source, Path folder) {
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

  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path emptied, IOException problem)
              throws IOException {
            if (problem != null) {
              throw problem;
            }
            Files.delete(emptied);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
