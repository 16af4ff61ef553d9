package dev.sparkmla.plugin.location;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;

/**
 * What tells a model's files from those of another: for each file its size and a digest of all its
 * bytes. The digest is the SHA-256 of the CRC-32C of each 16 MiB: processors compute CRC-32C as
 * fast as they read memory, several parts at once. It finds what has happened to a file, not who
 * has forged one. Immutable.
 *
 * @param files size and digest by the file's name
 */
public record ModelFingerprint(Map<String, String> files) implements Serializable {
  private static final int PART = 16 << 20;
  private static final int BUFFER = 256 << 10;

  /** Copies the map. */
  public ModelFingerprint {
    files = new TreeMap<>(files);
  }

  /**
   * Reads a model folder's.
   *
   * @throws ModelUnavailableException when a file cannot be read
   */
  public static ModelFingerprint of(Path folder) {
    Map<String, String> files = new TreeMap<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
      for (Path file : all) {
        String name = file.getFileName().toString();
        if (FolderPart.ALL.has(name) && !name.startsWith(".") && Files.isRegularFile(file)) {
          files.put(name, digest(file));
        }
      }
    } catch (IOException problem) {
      throw new ModelUnavailableException(
          "the model folder " + folder + " cannot be read: " + problem, problem);
    }
    return new ModelFingerprint(files);
  }

  /** The names of the files that are not the same in both. */
  public Set<String> differences(ModelFingerprint other) {
    TreeSet<String> names = new TreeSet<>(files.keySet());
    names.addAll(other.files.keySet());
    names.removeIf(name -> files.getOrDefault(name, "").equals(other.files.get(name)));
    return names;
  }

  private static String digest(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      long size = channel.size();
      int parts = Math.toIntExact((size + PART - 1) / PART);
      int[] sums =
          IntStream.range(0, parts).parallel().map(part -> crc32c(channel, part)).toArray();
      ByteBuffer all = ByteBuffer.allocate(Integer.BYTES * parts);
      all.asIntBuffer().put(sums);
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(all.array());
      return size + " " + HexFormat.of().formatHex(digest, 0, 16);
    } catch (UncheckedIOException problem) {
      throw problem.getCause();
    } catch (NoSuchAlgorithmException everyJavaHasIt) {
      throw new IllegalStateException(everyJavaHasIt);
    }
  }

  private static int crc32c(FileChannel channel, int part) {
    CRC32C sum = new CRC32C();
    ByteBuffer bytes = ByteBuffer.allocate(BUFFER);
    long position = (long) part * PART;
    long end = position + PART;
    try {
      while (position < end) {
        int read =
            channel.read(bytes.clear().limit((int) Math.min(BUFFER, end - position)), position);
        if (read < 0) {
          break;
        }
        sum.update(bytes.flip());
        position += read;
      }
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
    return (int) sum.getValue();
  }
}
