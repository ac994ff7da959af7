// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/method_form.h"

#include <cstdint>

class QSpinBox;

namespace tamis::views {

class ReaderSwitches;
class TokenSourceBox;

/// What the lab works on and with: the autoencoder, its tokens, the method and its parameters.
class EncoderSettings : public MethodForm {
    Q_OBJECT
public:
    explicit EncoderSettings(QWidget* parent = nullptr);

    /// What is open, in words; empty: nothing. `k` of the autoencoder or chosen; 0: none is open.
    void setSources(const QString& autoencoder, std::int64_t k, std::int64_t mostK);
    TokenSourceBox* tokens() const { return m_tokens; }
    ReaderSwitches* switches() const { return m_switches; }

signals:
    void kEdited(qlonglong k);
    void autoencoderRequested();

private:
    void buildSources();
    QLabel* source(const QString& title, const QString& name, const QString& help, QPushButton*& choose);

    QLabel* m_autoencoder;
    TokenSourceBox* m_tokens;
    ReaderSwitches* m_switches;
    QPushButton* m_openAutoencoder;
    QSpinBox* m_k;
};

} // namespace tamis::views
