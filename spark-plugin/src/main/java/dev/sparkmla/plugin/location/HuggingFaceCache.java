package dev.sparkmla.plugin.location;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.json.JsonProblem;
import dev.sparkmla.plugin.location.ModelLocation.HuggingFaceId;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
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
  private static final String CONFIGURATION = "config.json";
  private static final String WEIGHTS = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";

  /** Files that hold a tokenizer; the last alone is refused by what reads it, which says why. */
  private static final List<String> TOKENIZERS =
      List.of("tokenizer.json", "tiktoken.model", "tekken.json", "tokenizer.model");

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
   * @param part what of it has to be there
   * @throws ModelUnavailableException when there is none, or its download has not ended
   */
  Path find(HuggingFaceId id, FolderPart part) {
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
      requireWhole(snapshot, id, part);
      return snapshot;
    } catch (JsonProcessingException e) {
      throw new ModelUnavailableException(
          id
              + ": the snapshot's "
              + INDEX
              + " is not JSON: "
              + JsonProblem.of(e)
              + "; delete the file that it is a link to, and run '"
              + download(id)
              + "'",
          e);
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

  private static void requireWhole(Path snapshot, HuggingFaceId id, FolderPart part)
      throws IOException {
    Set<String> missing = danglingLinks(snapshot);
    require(snapshot, List.of(CONFIGURATION), missing);
    require(snapshot, TOKENIZERS, missing);
    if (part == FolderPart.ALL) {
      require(snapshot, List.of(WEIGHTS, INDEX), missing);
      missing.addAll(missingShards(snapshot));
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
              + "' to its end; a file that the model is published without is written by"
              + " transformers' save_pretrained");
    }
  }

  /** Adds the first of some files where none of them is there, not even as a dangling link. */
  private static void require(Path snapshot, List<String> oneOf, Set<String> missing) {
    boolean isThere =
        oneOf.stream()
            .anyMatch(name -> missing.contains(name) || Files.exists(snapshot.resolve(name)));
    if (!isThere) {
      missing.add(oneOf.get(0));
    }
  }

  /** Links of a snapshot to files that are not there, as after a download that did not end. */
  private static Set<String> danglingLinks(Path snapshot) throws IOException {
    Set<String> dangling = new TreeSet<>();
    for (String name : names(snapshot)) {
      if (!Files.exists(snapshot.resolve(name))) {
        dangling.add(name);
      }
    }
    return dangling;
  }

  private static Set<String> missingShards(Path snapshot) throws IOException {
    Set<String> missing = new TreeSet<>();
    Path index = snapshot.resolve(INDEX);
    if (Files.exists(index)) {
      for (JsonNode shard : JSON.readTree(index.toFile()).path("weight_map")) {
        if (!Files.exists(snapshot.resolve(shard.asText()))) {
          missing.add(shard.asText());
        }
      }
    }
    return missing;
  }

  private static String download(HuggingFaceId id) {
    return "hf download "
        + id.repository()
        + id.revision().map(revision -> " --revision " + revision).orElse("");
  }
}
