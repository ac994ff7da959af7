// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the token tab asks of core: a photo through a model, whole and with fewer tokens; the photos of a folder one after the other. Runs on
// workers, never on the window's thread.
#include "app/session/session_state.h"
#include "app/window/model_work.h"
#include "app/window/token_chains.h"
#include "core/base/run_context.h"
#include "core/inputs/image_preprocess.h"
#include "core/measure/sample_source.h"
#include "core/tokens/method.h"
#include "core/tokens/overlay.h"
#include "views/tokens/token_picture.h"

#include <QImage>
#include <QString>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::app {

/// What was opened for a model and a folder; immutable, the same object while both are the same.
struct TokenSources {
    std::shared_ptr<RunnableModel> runnable;
    std::shared_ptr<const nn::Model> model;
    std::filesystem::path modelPath, folder;
    std::shared_ptr<const measure::SampleSource> samples;
    std::vector<std::string> names; ///< of the photos, relative to the folder
    inputs::ImagePreprocess preprocess;
    std::vector<std::string> classNames; ///< may be empty
    std::filesystem::path file(std::size_t photo) const;
    std::int64_t sourceTokens() const;
};
/// Throws what opening photos throws, and Error{UnsupportedFeature} for models whose tokens cannot be reduced.
TokenSourcesPointer openTokenSources(std::shared_ptr<RunnableModel> runnable, const std::filesystem::path& folder, const RunContext& context);

/// Its title and those parameters that have not their defaults: "ToMe, r 4".
QString tokenSettingTitle(const TokenSetting& setting);
/// [source tokens]; what lies beyond them is left out.
std::vector<tokens::Wish> wishesOf(const TokenHand& hand, std::int64_t sourceTokens);
std::vector<report::TokenWish> shownWishesOf(const TokenHand& hand, std::int64_t sourceTokens);

struct TokenRequest {
    std::shared_ptr<RunnableModel> model;
    std::filesystem::path folder;
    std::string photo; ///< empty, or none of the folder: the first
    TokenSetting setting;
    std::optional<TokenSetting> pinned;
    std::map<std::string, TokenHand> hands;
    bool operator==(const TokenRequest&) const = default;
};

struct TokenResult {
    TokenRequest request;
    TokenSourcesPointer sources;
    std::string photo; ///< that is shown
    views::TokenPicture whole, reduced, pinned; ///< reduced is empty for a method that is to be trained first
    bool takesWishes = true; ///< the method; where not, what was asked for by hand is left out
    report::AttentionRange attention; ///< of the photo in the whole model
};

/// Keeps the last photo and what the whole model says of it. One thread at a time.
class TokenWork {
public:
    using Result = std::shared_ptr<const TokenResult>;
    explicit TokenWork(std::shared_ptr<TokenChains> chains);
    ~TokenWork();
    /// The whole answer where photo and chain are known and the last run was quick; else null.
    Result coarse(const TokenRequest& request);
    /// Throws tamis::Error for a folder, a photo, a model or settings that will not do.
    Result refine(const TokenRequest& request, const RunContext& context);

private:
    struct Photo;
    Result resultOf(const TokenRequest& request, const RunContext& context);
    std::size_t indexOf(const TokenRequest& request) const;
    std::shared_ptr<TokenChains> m_chains;
    TokenSourcesPointer m_sources;
    std::unique_ptr<Photo> m_photo;
    Result m_last;
    double m_runMs = 0; ///< of the last reduced run
};

/// All photos of a folder at one setting.
struct TokenFolderRequest {
    TokenSourcesPointer sources;
    TokenSetting setting;
    std::map<std::string, TokenHand> hands;
};

struct TokenFolderResult {
    struct Entry {
        std::size_t photo = 0;
        views::TokenPicture picture;
        QString failure; ///< empty: none
    };
    TokenFolderRequest request;
    std::vector<Entry> entries; ///< in order; a later result holds those of the earlier ones
};

/// Keeps pictures as the model reads them, as far as memory is meant for it, and what the whole model says. One thread at a time.
class TokenFolderWork {
public:
    using Result = std::shared_ptr<const TokenFolderResult>;
    explicit TokenFolderWork(std::shared_ptr<TokenChains> chains);
    ~TokenFolderWork();
    /// Photos that cannot be read are entries with a failure. Throws tamis::Error for settings that will not do.
    Result run(const TokenFolderRequest& request, const RunContext& context, const std::function<void(Result)>& publish);

private:
    struct Known;
    void prepare(Known& known, const TokenSources& sources, std::size_t photo, nn::Scratch& scratch) const;
    std::shared_ptr<TokenChains> m_chains;
    TokenSourcesPointer m_sources;
    std::vector<Known> m_known; ///< [photos]
};

} // namespace tamis::app
