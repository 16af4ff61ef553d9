package dev.sparkmla.plugin.location;

import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What tells a model's files from those of another: for each file its size and a digest. Small
 * files are read whole, and so is the header of weights; of what follows in a large file, blocks
 * that lie evenly in it are read. So other weights are told apart in a moment, and a single byte
 * that was changed in a large file is as a rule not. Immutable.
 *
 * @param files size and digest by the file's name
 */
public record ModelFingerprint(Map<String, String> files) implements Serializable {
  private static final int READ_WHOLE = 4 << 20;
  private static final int HEADER = 1 << 20;
  private static final int BLOCKS = 256;
  private static final int BLOCK = 4 << 10;

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
  public Iterable<String> differences(ModelFingerprint other) {
    TreeSet<String> names = new TreeSet<>(files.keySet());
    names.addAll(other.files.keySet());
    names.removeIf(name -> files.getOrDefault(name, "").equals(other.files.get(name)));
    return names;
  }

  private static String digest(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      long size = channel.size();
      if (size <= READ_WHOLE) {
        add(digest, channel, 0, (int) size);
      } else {
        add(digest, channel, 0, HEADER);
        for (int block = 1; block <= BLOCKS; block++) {
          add(digest, channel, HEADER + (size - HEADER - BLOCK) * block / BLOCKS, BLOCK);
        }
      }
      return size + " " + HexFormat.of().formatHex(digest.digest(), 0, 16);
    } catch (NoSuchAlgorithmException everyJavaHasIt) {
      throw new IllegalStateException(everyJavaHasIt);
    }
  }

  private static void add(MessageDigest digest, FileChannel channel, long position, int length)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    while (bytes.hasRemaining() && channel.read(bytes, position + bytes.position()) >= 0) {
      // A read may give less than it was asked for.
    }
    digest.update(bytes.flip());
  }
}
