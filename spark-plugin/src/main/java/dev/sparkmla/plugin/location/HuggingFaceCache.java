package dev.sparkmla.plugin.location;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.plugin.location.ModelLocation.HuggingFaceId;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The snapshots that the huggingface_hub library has downloaded to this host. Nothing is downloaded
 * here. A model has a folder {@code models--organization--name}, in which {@code refs} holds a file
 * with the commit of each branch or tag, and {@code snapshots} a folder of each commit, whose files
 * are links.
 */
final class HuggingFaceCache {
  private static final String DEFAULT_REVISION = "main";
  private static final String INDEX = "model.safetensors.index.json";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path root;

  /** Takes the folder that holds the models' folders. */
  HuggingFaceCache(Path root) {
    this.root = root;
  }

  /**
   * The cache where huggingface_hub finds it: HF_HUB_CACHE, else {@code hub} in HF_HOME, else
   * {@code huggingface/hub} in XDG_CACHE_HOME, else in {@code ~/.cache}.
   */
  static HuggingFaceCache of(Map<String, String> environment) {
    String hub = environment.get("HF_HUB_CACHE");
    if (hub != null) {
      return new HuggingFaceCache(HomeFolder.expand(hub));
    }
    String caches = environment.getOrDefault("XDG_CACHE_HOME", "~/.cache");
    String home = environment.getOrDefault("HF_HOME", caches + "/huggingface");
    return new HuggingFaceCache(HomeFolder.expand(home).resolve("hub"));
  }

  /**
   * The folder of a model's snapshot.
   *
   * @throws ModelUnavailableException when there is none, or its download has not ended
   */
  Path find(HuggingFaceId id) {
    Path model = root.resolve("models--" + id.repository().replace("/", "--"));
    if (!Files.isDirectory(model)) {
      throw new ModelUnavailableException(
          id
              + " is neither a folder here nor a model in the Hugging Face cache "
              + root
              + ": download it to every host that computes with '"
              + download(id)
              + "', or set HF_HOME or HF_HUB_CACHE to the cache that has it");
    }
    try {
      Path snapshot = snapshot(model, id);
      requireWhole(snapshot, id);
      return snapshot;
    } catch (IOException | InvalidPathException e) { // A file may hold what is no path.
      throw new ModelUnavailableException(
          id + " cannot be read in the Hugging Face cache " + root + ": " + e, e);
    }
  }

  private Path snapshot(Path model, HuggingFaceId id) throws IOException {
    String revision = id.revision().orElse(DEFAULT_REVISION);
    Path reference = model.resolve("refs").resolve(revision);
    String commit = Files.isRegularFile(reference) ? Files.readString(reference).strip() : revision;
    Path snapshot = model.resolve("snapshots").resolve(commit);
    if (commit.isEmpty() || !Files.isDirectory(snapshot)) {
      throw new ModelUnavailableException(
          id
              + ": the Hugging Face cache "
              + root
              + " has the model, but no snapshot of the revision "
              + revision
              + "; it has the commits "
              + names(model.resolve("snapshots"))
              + ": name one of them after an @, or run '"
              + download(id)
              + "'");
    }
    return snapshot;
  }

  private static Set<String> names(Path folder) throws IOException {
    Set<String> names = new TreeSet<>();
    if (Files.isDirectory(folder)) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
        files.forEach(file -> names.add(file.getFileName().toString()));
      }
    }
    return names;
  }

  /** A file is linked when it is there whole, so what is missing are dangling links and shards. */
  private static void requireWhole(Path snapshot, HuggingFaceId id) throws IOException {
    Set<String> missing = new TreeSet<>();
    for (String name : names(snapshot)) {
      if (!Files.exists(snapshot.resolve(name))) {
        missing.add(name);
      }
    }
    Path index = snapshot.resolve(INDEX);
    if (Files.exists(index)) {
      for (JsonNode shard : JSON.readTree(index.toFile()).path("weight_map")) {
        if (!Files.exists(snapshot.resolve(shard.asText()))) {
          missing.add(shard.asText());
        }
      }
    }
    if (!missing.isEmpty()) {
      throw new ModelUnavailableException(
          id
              + ": the snapshot "
              + snapshot
              + " is not whole, "
              + String.join(", ", missing)
              + (missing.size() == 1 ? " is" : " are")
              + " missing; run '"
              + download(id)
              + "' to its end");
    }
  }

  private static String download(HuggingFaceId id) {
    return "hf download "
        + id.repository()
        + id.revision().map(revision -> " --revision " + revision).orElse("");
  }
}
