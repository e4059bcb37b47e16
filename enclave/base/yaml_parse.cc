// The tree is built from yaml-cpp's events, because events show what its own tree hides: duplicate
// keys, anchors, aliases and tags.

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <set>
#include <sstream>

#include "enclave/base/file.h"
#include "enclave/base/yaml_node.h"

namespace keyclave {
namespace {

constexpr size_t kMaxText = size_t{1} << 20;
constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxNodes = size_t{1} << 16;

// Thrown through yaml-cpp to leave its parser.
struct Refusal {
  Error error;
};

class YamlBuilder final : public YAML::EventHandler {
 public:
  using Node = YamlNode;
  YamlBuilder(YamlDocument& document, std::string_view text) : document_(document), text_(text) {}

  const Node* root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Refuse(mark, Code::kConfigSyntax, "a second document begins here");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseExtras(mark, anchor, "?");
    if (ExpectsKey()) Refuse(mark, Code::kConfigSyntax, "a key is empty");
    Add(mark, Node::Kind::kNull);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Refuse(mark, Code::kConfigSyntax, "aliases (*name) are not allowed");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseExtras(mark, anchor, tag);
    if (ExpectsKey()) return TakeKey(mark, value);
    Node& node = Add(mark, Node::Kind::kScalar);
    node.text = value;
    node.quoted = tag == "!";
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(mark, tag, anchor, Node::Kind::kList);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(mark, tag, anchor, Node::Kind::kMap);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Level {
    Node* node;
    std::set<std::string, std::less<>> keys;
    std::optional<std::string> key;  // taken, its value not yet seen
    int key_line = 0;
  };

  [[noreturn]] void Refuse(const YAML::Mark& mark, Code code, std::string_view why) const {
    throw Refusal{Fail(code, document_.At(mark.line + 1) + ": " + std::string(why))};
  }

  // yaml-cpp tags quoted scalars "!" and everything that has no tag "?". A plain scalar behind a
  // lone ! comes as "!", too, but does not begin with a quotation mark.
  void RefuseExtras(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag) const {
    if (anchor != YAML::NullAnchor)
      Refuse(mark, Code::kConfigSyntax, "anchors (&name) are not allowed");
    const auto at = static_cast<size_t>(mark.pos);
    const bool lone_tag = tag == "!" && at < text_.size() && text_[at] == '!';
    if (lone_tag || (!tag.empty() && tag != "?" && tag != "!"))
      Refuse(mark, Code::kConfigSyntax, "tags (!name) are not allowed");
  }

  bool ExpectsKey() const {
    return !open_.empty() && open_.back().node->kind == Node::Kind::kMap &&
           !open_.back().key.has_value();
  }

  void TakeKey(const YAML::Mark& mark, const std::string& key) {
    Level& level = open_.back();
    if (!level.keys.insert(key).second)
      Refuse(mark, Code::kConfigDuplicateKey, "the key " + ShownYaml(key) + " was given above");
    level.key = key;
    level.key_line = mark.line + 1;
  }

  Node& Add(const YAML::Mark& mark, Node::Kind kind) {
    if (document_.nodes.size() >= kMaxNodes)
      Refuse(mark, Code::kTooLarge, "more than " + std::to_string(kMaxNodes) + " values");
    Node& node = document_.nodes.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.file = &document_.name;
    if (open_.empty()) {
      root_ = &node;
      return node;
    }
    Level& level = open_.back();
    node.parent = level.node;
    if (level.key.has_value()) {
      node.key = *std::exchange(level.key, std::nullopt);
      node.line = level.key_line;  // where a person looks for it
    }
    level.node->children.push_back(&node);
    node.index = level.node->children.size();
    return node;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    RefuseExtras(mark, anchor, tag == "!" ? "!!" : tag);
    if (ExpectsKey()) Refuse(mark, Code::kConfigSyntax, "a key is not a text");
    // yaml-cpp recurses once per level: leaving here bounds its stack as well as ours.
    if (open_.size() >= kMaxDepth)
      Refuse(mark, Code::kTooLarge, "nested deeper than " + std::to_string(kMaxDepth));
    open_.push_back(Level{&Add(mark, kind), {}, std::nullopt, 0});
  }

  YamlDocument& document_;
  const std::string_view text_;
  std::vector<Level> open_;
  const Node* root_ = nullptr;
  int documents_ = 0;
};

// yaml-cpp guesses encodings and has its own idea of odd characters; it gets to see only UTF-8
// without them.
Status CheckCharacters(std::string_view text, const std::string& name) {
  if (text.size() > kMaxText) return Fail(Code::kTooLarge, name + ": larger than 1 MiB");
  int line = 1;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\n') ++line;
    if ((byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f)
      return Fail(Code::kConfigSyntax, name + ":" + std::to_string(line) + ": control character");
  }
  if (text.starts_with("\xef\xbb\xbf") || !IsUtf8(AsBytes(text)))
    return Fail(Code::kConfigSyntax, name + ": not UTF-8 text without a byte order mark");
  return Done{};
}

Status Build(std::string_view text, YamlDocument& document, YamlBuilder& builder) {
  try {
    // yaml-cpp takes the end of the input for the end of a quoted text, but not an end marker.
    std::istringstream stream{std::string(text) + "\n...\n"};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    return Done{};
  } catch (const Refusal& refusal) {
    return refusal.error;
  } catch (const YAML::ParserException& e) {
    return Fail(Code::kConfigSyntax, document.At(e.mark.line + 1) + ": " + e.msg);
  } catch (const std::bad_alloc&) {
    return Fail(Code::kOutOfMemory, document.name);
  } catch (const std::exception& e) {
    return Fail(Code::kConfigSyntax, document.name + ": " + e.what());
  }
}

}  // namespace

Result<YamlValue> ParseYaml(std::string_view text, std::string_view name) {
  auto document = std::make_shared<YamlDocument>();
  document->name = name;
  KC_CHECK_OK(CheckCharacters(text, document->name));
  YamlBuilder builder(*document, text);
  KC_CHECK_OK(Build(text, *document, builder));
  const YamlNode* root = builder.root();
  if (root == nullptr || root->kind == YamlNode::Kind::kNull) {
    YamlNode& empty = document->nodes.emplace_back();
    empty.kind = YamlNode::Kind::kMap;
    empty.line = 1;
    empty.file = &document->name;
    root = &empty;
  }
  return YamlValue(std::shared_ptr<const YamlNode>(document, root));
}

Result<YamlValue> ParseYamlFile(const std::string& path) {
  const auto text = ReadFile(path, kMaxText);
  if (!text.ok()) {
    const bool large = text.code() == Code::kTooLarge;
    return Fail(large ? Code::kTooLarge : Code::kConfigNotFound, text.error().detail());
  }
  return ParseYaml(AsText(text.value()), path);
}

}  // namespace keyclave
