package dev.sparkmla.plugin.location;

import dev.sparkmla.plugin.location.StoredFiles.StoredFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;
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

  /** How {@link #name} names a copy: the folder may hold what is somebody else's. */
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]*-[0-9a-f]{16}");

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
        } else if (NAME.matcher(name).matches()) {
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
      new CopyRecord(source.uri(), FileCopies.copy(source, unfinished)).write(unfinished);
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

  /** Of a link only the link, wherever it leads. */
  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
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
