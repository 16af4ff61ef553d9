package dev.sparkmla.plugin.location;

import dev.sparkmla.plugin.location.ModelLocation.HuggingFaceId;
import dev.sparkmla.plugin.location.ModelLocation.StoredFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;

/** Finds models' folders on this host, and makes those that have to be copied to it. Immutable. */
public final class ModelLocator {
  /** The setting that says where copies are kept. */
  public static final String CACHE_SETTING = "spark.mla.model.cacheDir";

  private final ModelCopies copies;
  private final HuggingFaceCache snapshots;
  private final Configuration hadoop;
  private final FolderPart part;

  /**
   * @param cache where copies are kept, which the executors of a host share
   * @param hadoop settings of Hadoop's file systems
   * @param environment the process's, which says where the Hugging Face cache is
   * @param part what of a folder has to be copied
   */
  public ModelLocator(
      Path cache, Configuration hadoop, Map<String, String> environment, FolderPart part) {
    this.copies = new ModelCopies(cache);
    this.snapshots = HuggingFaceCache.of(environment);
    this.hadoop = hadoop;
    this.part = part;
  }

  /**
   * The folder of a model on this host. A folder that is elsewhere is copied first, if this host
   * has no copy; another process that copies it is waited for.
   *
   * @return for a path, that path, whether anything is there or not
   * @throws ModelUnavailableException when the model cannot be had
   */
  public Path locate(ModelLocation location) {
    return location.find(this);
  }

  Path snapshot(HuggingFaceId id) {
    Path folder = Path.of(id.toString());
    return Files.isDirectory(folder) ? folder : snapshots.find(id, part);
  }

  Path copy(StoredFolder stored) {
    try (StoredFiles files = StoredFiles.open(stored, hadoop, part)) {
      return copies.copyOf(files);
    }
  }

  /**
   * Refuses a folder in a file system of Hadoop that is not there or no model's, without copying
   * anything. Other locations are those of each host, about which another says nothing.
   *
   * @throws ModelUnavailableException when the model cannot be had
   */
  public void check(ModelLocation location) {
    if (location instanceof StoredFolder stored) {
      StoredFiles.open(stored, hadoop, part).close();
    }
  }
}
