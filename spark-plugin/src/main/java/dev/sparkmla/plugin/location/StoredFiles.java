package dev.sparkmla.plugin.location;

import dev.sparkmla.engine.FolderFiles;
import dev.sparkmla.model.ModelFormatException;
import dev.sparkmla.plugin.location.ModelLocation.StoredFolder;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileChecksum;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of a model folder in a file system of Hadoop: those right in it that the asked part
 * has, as they were listed when it was opened. Any thread may read.
 */
final class StoredFiles implements AutoCloseable {
  private static final Logger LOGGER = LoggerFactory.getLogger(StoredFiles.class);
  private static final String REQUIRED = "config.json";

  /** A character as RFC 3986 encodes it. */
  private static final Pattern ENCODED = Pattern.compile("%[0-9A-Fa-f]{2}");

  /** The file system's connection, of which the folder has its own. */
  private final FileSystem system;

  private final Path folder;
  private final List<StoredFile> files;

  /**
   * A file as it was listed.
   *
   * @param name in its folder
   * @param size in bytes
   * @param modified when it was changed last, in milliseconds since 1970
   */
  record StoredFile(String name, long size, long modified) {}

  private StoredFiles(FileSystem system, Path folder, List<StoredFile> files) {
    this.system = system;
    this.folder = folder;
    this.files = files;
  }

  /**
   * Lists a folder.
   *
   * @throws ModelUnavailableException when it cannot be listed, or holds no config.json
   * @throws ModelFormatException when it is local and holds links to nothing, or pointers to files
   */
  static StoredFiles open(StoredFolder location, Configuration settings, FolderPart part) {
    Configuration hadoop = new Configuration(settings);
    // Of HDFS's checksums the one that does not depend on its blocks.
    hadoop.set("dfs.checksum.combine.mode", "COMPOSITE_CRC");
    FileSystem system = null;
    try {
      Path folder = new Path(location.uri());
      system = FileSystem.newInstance(folder.toUri(), hadoop);
      if ("file".equals(system.getUri().getScheme())
          && system.getFileStatus(folder).isDirectory()) {
        // Hadoop's list leaves links to nothing out, as if the files need not be there.
        FolderFiles.check(java.nio.file.Path.of(folder.toUri().getPath()));
      }
      List<StoredFile> files = new ArrayList<>();
      for (FileStatus file : system.listStatus(folder)) {
        String name = file.getPath().getName();
        if (file.isFile() && part.has(name)) {
          files.add(new StoredFile(name, file.getLen(), file.getModificationTime()));
        }
      }
      if (files.stream().noneMatch(file -> file.name().equals(REQUIRED))) {
        throw new ModelUnavailableException(
            location + " holds no " + REQUIRED + "; expected the URI of a Hugging Face folder");
      }
      files.sort(Comparator.comparing(StoredFile::name));
      return new StoredFiles(system, folder, List.copyOf(files));
    } catch (FileNotFoundException e) {
      close(system);
      throw new ModelUnavailableException(
          location
              + " is not there; expected the URI of a Hugging Face folder"
              + (ENCODED.matcher(location.uri()).find()
                  ? ", in which Hadoop takes percent signs as they are: write a blank for %20"
                  : ""),
          e);
    } catch (UnsupportedOperationException e) { // Of http and https, of which files can be read.
      close(system);
      throw new ModelUnavailableException(
          location
              + " cannot be listed, as no folder of a web server; download the model to a folder,"
              + " or with 'hf download' to the Hugging Face cache",
          e);
    } catch (ModelUnavailableException | ModelFormatException e) {
      close(system);
      throw e;
    } catch (IOException | RuntimeException e) { // Such as of a class that is not there.
      close(system);
      throw new ModelUnavailableException(
          location
              + " cannot be listed: "
              + e.getMessage()
              + "; expected a folder in a file system of Hadoop whose jars and credentials this"
              + " process has",
          e);
    }
  }

  /** The folder's last name, for people. */
  String name() {
    return folder.getName();
  }

  /** Where the folder is. */
  String uri() {
    return folder.toString();
  }

  /** All files, by name. */
  List<StoredFile> files() {
    return files;
  }

  /** The bytes of all files. */
  long bytes() {
    return files.stream().mapToLong(StoredFile::size).sum();
  }

  /** Opens a file for reading; the caller closes it. */
  InputStream read(StoredFile file) throws IOException {
    return system.open(new Path(folder, file.name()));
  }

  /** The CRC-32C of a file's bytes, where the file system knows it. */
  OptionalInt crc32c(StoredFile file) throws IOException {
    FileChecksum known = system.getFileChecksum(new Path(folder, file.name()));
    return known != null && known.getAlgorithmName().equals("COMPOSITE-CRC32C")
        ? OptionalInt.of(ByteBuffer.wrap(known.getBytes()).getInt())
        : OptionalInt.empty();
  }

  @Override
  public void close() {
    close(system);
  }

  private static void close(FileSystem system) {
    try {
      if (system != null) {
        system.close();
      }
    } catch (IOException e) {
      LOGGER.warn("{} was not closed", system.getUri(), e);
    }
  }
}
