package dev.sparkmla.cuda;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Set;

/**
 * Unpacks native libraries from the jar to files, since the loader takes nothing else.
 *
 * <p>A file lies in a folder named after the SHA-256 of its content, inside a root that only this
 * user may enter. It is written once: under a temporary name, then renamed, so that any number of
 * processes may unpack at once and none ever sees half a file. A file that is already there is read
 * and compared before it is used, and replaced where it differs.
 *
 * <p>The root is the system property {@code spark.mla.native.directory}, by default {@code
 * spark-mla-USER} in java.io.tmpdir. Where that belongs to somebody else or is open to others, a
 * fresh folder that only this process knows is used instead.
 *
 * <p>Thread-safe.
 */
final class NativeFiles {
  /** System property with the folder to unpack into. */
  static final String DIRECTORY_PROPERTY = "spark.mla.native.directory";

  private static final Set<PosixFilePermission> PRIVATE =
      PosixFilePermissions.fromString("rwx------");

  private final Path root;
  private final boolean temporary;

  /**
   * @param wanted the folder to use if it is private or can be made so
   * @throws IOException where neither it nor a substitute can be made
   */
  NativeFiles(Path wanted) throws IOException {
    temporary = !makePrivate(wanted);
    root = temporary ? Files.createTempDirectory("spark-mla-") : wanted; // rwx------ by contract
    if (temporary) {
      root.toFile().deleteOnExit();
    }
  }

  /** The files of the user that runs this process. */
  static NativeFiles ofThisUser() throws IOException {
    String directory = System.getProperty(DIRECTORY_PROPERTY);
    return new NativeFiles(
        directory != null
            ? Path.of(directory)
            : Path.of(
                System.getProperty("java.io.tmpdir"),
                "spark-mla-" + System.getProperty("user.name").replaceAll("[^A-Za-z0-9._-]", "_")));
  }

  /**
   * All bytes of a resource of this jar.
   *
   * @throws FileNotFoundException where there is none of that name
   */
  static byte[] resource(String name) throws IOException {
    try (InputStream stream = NativeFiles.class.getResourceAsStream(name)) {
      if (stream == null) {
        throw new FileNotFoundException("no resource " + name);
      }
      return stream.readAllBytes();
    }
  }

  /** The folder that files are put into. */
  Path root() {
    return root;
  }

  /**
   * Returns a file of exactly this content.
   *
   * @param fileName its last name component
   */
  Path unpack(String fileName, byte[] content) throws IOException {
    String hash = sha256(content);
    Path directory = Files.createDirectories(root.resolve(hash));
    Path file = directory.resolve(fileName);
    if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
        && sha256(Files.readAllBytes(file)).equals(hash)) {
      return file;
    }
    Path fresh = Files.createTempFile(directory, fileName, ".part");
    try {
      Files.write(fresh, content, StandardOpenOption.TRUNCATE_EXISTING);
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(fresh);
    }
    if (temporary) {
      directory.toFile().deleteOnExit();
      file.toFile().deleteOnExit();
    }
    return file;
  }

  /** Whether {@code wanted} is, or has now been made, a folder for this user alone. */
  private static boolean makePrivate(Path wanted) throws IOException {
    try {
      Path parent = wanted.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      Files.createDirectory(wanted, PosixFilePermissions.asFileAttribute(PRIVATE));
    } catch (IOException e) {
      // It exists already or cannot be made; the check below tells which.
    }
    return isPrivate(wanted) && Files.isWritable(wanted);
  }

  private static boolean isPrivate(Path directory) throws IOException {
    if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    PosixFileAttributes attributes =
        Files.readAttributes(directory, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    Path probe = Files.createTempFile("spark-mla-", ".owner");
    try {
      // The owner of a file just made is this process's user, whatever user.name claims.
      return attributes.permissions().equals(PRIVATE)
          && attributes.owner().equals(Files.getOwner(probe));
    } finally {
      Files.delete(probe);
    }
  }

  private static String sha256(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
